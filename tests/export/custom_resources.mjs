// node custom_resources.mjs FOLDER <OBJECTS: what the projects' own types and rules say against objects of a cluster.
//
// FOLDER has packages that are made from those projects (scripts/cluster-tools). Their types know every field, and
// TypeScript refuses others in a literal; their validators know patterns, numbers and sizes. OBJECTS is a list in JSON;
// the answer has a list of complaints for each.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = {
  "gateway.networking.k8s.io": "gateway-api",
  "cert-manager.io": "cert-manager",
  "monitoring.coreos.com": "prometheus-operator",
};
const folder = resolve(process.argv[2]);
const ts = createRequire(join(folder, "any.js"))("typescript");
const objects = JSON.parse(readFileSync(0, "utf8"));
const complaints = objects.map(() => []);

const moduleOf = ({ apiVersion, kind }) =>
  `@kubernetes-models/${PACKAGES[apiVersion.split("/")[0]]}/${apiVersion}/${kind}`;

function typed(one) {
  // On one line, which names the object in a diagnostic.
  return `{ const it: import("${moduleOf(one)}").I${one.kind} = ${JSON.stringify(one)}; }`;
}

function checkTypes() {
  const name = join(folder, "objects.ts");
  const text = objects.map(typed).join("\n") + "\nexport {};\n";
  const options = {
    module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022,
    noEmit: true, skipLibCheck: true, strict: true, types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (file, ...how) => (file === name ? ts.createSourceFile(file, text, ...how) : read(file, ...how));
  const program = ts.createProgram([name], options, host);
  for (const found of ts.getPreEmitDiagnostics(program)) {
    const said = ts.flattenDiagnosticMessageText(found.messageText, " ");
    if (found.file?.fileName !== name) throw new Error(said);
    complaints[found.file.getLineAndCharacterOfPosition(found.start).line].push(said);
  }
}

async function checkRules(one, n) {
  const models = await import(pathToFileURL(join(folder, "node_modules", `${moduleOf(one)}.js`)));
  try {
    new models[one.kind](one).validate();
  } catch (error) {
    complaints[n].push(error.message);
  }
}

checkTypes();
await Promise.all(objects.map(checkRules));
console.log(JSON.stringify(complaints));
