// Runs the tests of the package it was copied into, and prints each with its result as JSON.
// With MARK=public, answers that tell their lifetime are marked public: Portico keeps nothing that is not.
import fetch from 'node-fetch'
import { getResults, runTests } from './client/runner.mjs'
import surrogate from './tests/surrogate-control.mjs'
import suites from './tests/index.mjs'

const all = [...suites, surrogate]
const is = (header, name) => header[0].toLowerCase() === name

function mark (headers) {
  const control = headers.findIndex(header => is(header, 'cache-control'))
  if (control >= 0) {
    const [name, value, ...rest] = headers[control]
    return headers.with(control, [name, `public, ${value}`, ...rest])
  }
  return headers.some(header => is(header, 'expires')) ? [...headers, ['Cache-Control', 'public']] : headers
}

const tests = all.flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({ ...test, group: suite.id })))
if (process.env.MARK) {
  for (const test of tests) {
    test.requests = test.requests.map(request =>
      request.response_headers ? { ...request, response_headers: mark(request.response_headers) } : request)
  }
}
await runTests([{ tests }], fetch, false, process.env.BASE)
const results = getResults()
console.log(JSON.stringify(tests.map(test => ({
  id: test.id, name: test.name, group: test.group, kind: test.kind || 'required', result: results[test.id]
}))))
