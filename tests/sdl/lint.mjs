// Usage: node lint.mjs <file.graphql>… Prints the problems of each file as JSON: a list of
// { rule, line, message } by path.
import { dirname, resolve } from "node:path";
import { ESLint } from "eslint";
import { rulesFor } from "./rules.mjs";

const problems = {};
for (const path of process.argv.slice(2)) {
  const file = resolve(path);
  const eslint = new ESLint({ cwd: dirname(file), overrideConfigFile: true, overrideConfig: rulesFor(file) });
  const [{ messages }] = await eslint.lintFiles([file]);
  problems[path] = messages.map(({ ruleId, line, message }) => ({
    rule: ruleId?.replace("@graphql-eslint/", "") ?? "unreadable",
    line,
    message,
  }));
}
console.log(JSON.stringify(problems));
