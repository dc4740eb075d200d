// Show how far an upload is; without JavaScript the same forms work, silently.
document.querySelectorAll("form[data-progress]").forEach((form) => form.addEventListener("submit", upload));

function upload(event) {
  event.preventDefault();
  const form = event.target;
  const bar = form.querySelector("progress") ?? form.appendChild(document.createElement("progress"));
  bar.setAttribute("aria-label", "Upload");
  form.querySelector("button").disabled = true;

  const request = new XMLHttpRequest();
  request.upload.onprogress = ({ loaded, total }) => Object.assign(bar, { value: loaded, max: total });
  request.onload = () => (request.status < 400 ? location.assign(request.responseURL) : show(request.responseText));
  request.onerror = () => {
    form.querySelector("button").disabled = false;
    bar.replaceWith("The connection was lost. Try again.");
  };
  request.open("POST", form.action);
  request.send(new FormData(form));
}

function show(page) {
  const answer = new DOMParser().parseFromString(page, "text/html");
  document.querySelector("main").replaceWith(answer.querySelector("main") ?? answer.body);
}
