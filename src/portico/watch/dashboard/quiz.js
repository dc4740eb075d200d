// Questions about a traced request. The site makes them of its trace; each right answer is what happened.

import { make } from "./words.js";

/** A button that fetches them, and then the first one in its place. */
export function quiz(id) {
  const box = make("div", { class: "quiz" });
  const begin = make("button", { type: "button", onclick: () => fetchAll(box, id) }, "Ask me about it");
  box.append(begin);
  return box;
}

function fetchAll(box, id) {
  fetch(`lesson?id=${encodeURIComponent(id)}`)
    .then((answer) => (answer.ok ? answer.json() : { questions: [] }))
    .then((lesson) => ask(box, lesson, 0, 0))
    .catch(() => box.replaceChildren(make("p", { class: "none" }, "the questions could not be fetched")));
}

function ask(box, lesson, at, atOnce) {
  const one = lesson.questions[at];
  if (!one) {
    const said = at ? `${atOnce} of ${at} answered right at once` : "there is nothing to ask about this request";
    box.replaceChildren(make("p", { tabindex: -1 }, said));
    box.firstChild.focus();
    return;
  }
  let isFirst = true;
  const said = make("div", { "aria-live": "polite" });
  const answer = make("button", { type: "submit" }, "Answer");
  const hint = make("button", { type: "button", onclick: () => said.replaceChildren(make("p", {}, one.hint)) }, "Hint");
  const form = make("form", { onsubmit: check },
    make("fieldset", {},
      make("legend", {}, make("small", {}, `question ${at + 1} of ${lesson.questions.length}`), " ", one.text),
      ...one.choices.map((choice, number) => make("label", {},
        make("input", { type: "radio", name: "choice", value: number, required: true }), " ", choice))),
    make("p", { class: "steps" }, answer, hint));

  function check(event) {
    event.preventDefault();
    if (Number(new FormData(form).get("choice")) !== one.right) {
      isFirst = false;
      said.replaceChildren(make("p", {}, make("b", {}, "Not that one. "), one.hint));
      return;
    }
    for (const input of form.elements) input.disabled = true;
    const next = make("button", { type: "button", onclick: () => ask(box, lesson, at + 1, atOnce + isFirst) },
      at + 1 < lesson.questions.length ? "Next question" : "Done");
    said.replaceChildren(
      make("p", {}, make("b", {}, "Right. "), one.evidence.filter(Boolean).join(" ")),
      one.see ? make("p", {}, make("code", {}, one.see)) : "", next);
    next.focus();
  }

  box.replaceChildren(form, said);
  form.querySelector("input").focus();
}
