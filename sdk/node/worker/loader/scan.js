// Finds, in the text of a module, what it imports by name, and whether it is an ES module.
// Matches inside strings or comments are harmless: they only add names nobody asks for.

import { compileFunction } from 'node:vm';

const FROM_CLAUSE = /\b(import|export)\b\s*(?:type\s+)?((?:[\w$]+\s*,?\s*)?(?:\*\s*(?:as\s+[\w$]+)?|\{[^{}]*\})?)\s*from\s*(['"])([^'"\n]+)\3/g;
const BARE_IMPORT = /(?:^|[;\n}])\s*import\s*(['"])([^'"\n]+)\1/g;
const ES_SYNTAX = /(?:^|[;}\n\r])\s*(?:import\s*(?:[\w$*{'"]|\/\*)|export\s*(?:[{*]|default\b|const\b|let\b|var\b|class\b|function\b|async\b|enum\b))|\bimport\.meta\b/;
const CJS_SYNTAX = /\bmodule\.exports\b|\bexports\.[\w$]+\s*=|\bObject\.defineProperty\(\s*exports\b|\brequire\s*\(|\b__exportStar\b/;

/**
 * What one module asks of another.
 * @typedef {{names: Set<string>, namespace: boolean}} Wanted
 */

/** Imports of a source text by specifier. `only` limits the result to specifiers it accepts. */
export function scanImports(text, only) {
  /** @type {Map<string, Wanted>} */
  const found = new Map();
  for (const match of text.matchAll(FROM_CLAUSE)) {
    const specifier = match[4];
    if (only && !only(specifier)) continue;
    const wanted = found.get(specifier) ?? { names: new Set(), namespace: false };
    found.set(specifier, wanted);
    readClause(match[2], match[1] === 'import', wanted);
  }
  for (const match of text.matchAll(BARE_IMPORT)) {
    if (!found.has(match[2]) && (!only || only(match[2]))) found.set(match[2], { names: new Set(), namespace: false });
  }
  return found;
}

function readClause(clause, isImport, wanted) {
  const braces = /\{([^{}]*)\}/.exec(clause);
  for (const name of namesIn(braces?.[1] ?? '')) wanted.names.add(name);
  if (clause.includes('*')) wanted.namespace = true;
  const head = clause.replace(/\{[^{}]*\}/, '').replace(/\*\s*(?:as\s+[\w$]+)?/, '').replace(/[,\s]/g, '');
  if (isImport && head) wanted.names.add('default');
}

function namesIn(body) {
  return body
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/[^\n]*/g, '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part && !part.startsWith('type '))
    .map((part) => part.split(/\s+as\s+/)[0].trim())
    .filter((name) => /^[\w$]+$/.test(name));
}

/** Whether a text is written as an ES module. A CommonJS module may hold the text of one, in a template or a comment: then it is read. */
export function looksLikeEsm(text) {
  return ES_SYNTAX.test(text) && !(CJS_SYNTAX.test(text) && compilesAsCjs(text));
}

/** Whether a text is a function body, so that it has no `import`, `export` or `await` of its own. */
function compilesAsCjs(text) {
  try {
    compileFunction(text.replace(/^#![^\n]*/, ''), ['exports', 'require', 'module', '__filename', '__dirname']);
    return true;
  } catch {
    return false;
  }
}

/** Whether a text is written as a CommonJS module. */
export function looksLikeCjs(text) {
  return CJS_SYNTAX.test(text);
}

/**
 * Removes imported names that are never used from compiled TypeScript: they were types.
 * Line numbers stay as they are.
 */
export function dropUnusedImports(text) {
  return text.replace(/^([ \t]*import\s*)((?:[\w$]+\s*,\s*)?)\{([^{}]*)\}(\s*from\s*['"][^'"\n]+['"])/gm, (whole, head, first, body, tail) => {
    const kept = body.split(',').filter((part) => {
      const local = part.trim().split(/\s+as\s+/).pop();
      return local && isUsed(text, local);
    });
    if (kept.length === body.split(',').filter((part) => part.trim()).length) return whole;
    const lines = '\n'.repeat(whole.split('\n').length - 1 - kept.join(',').split('\n').length + 1);
    return `${head}${first}{${kept.join(',')}}${tail}${lines}`;
  });
}

function isUsed(text, name) {
  const pattern = new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`, 'g');
  let count = 0;
  for (const _ of text.matchAll(pattern)) if (++count > 1) return true;
  return false;
}

/** Declares `require`, `__filename` and `__dirname` for an ES module that uses them without having them. */
export function addCjsGlobals(text) {
  const needs = ['require', '__filename', '__dirname'].filter((name) => usesFree(text, name));
  if (needs.length === 0) return text;
  const parts = [];
  if (needs.includes('require')) parts.push('const require=process.getBuiltinModule("module").createRequire(import.meta.url);');
  if (needs.includes('__filename')) parts.push('const __filename=import.meta.filename;');
  if (needs.includes('__dirname')) parts.push('const __dirname=import.meta.dirname;');
  const prefix = parts.join('');
  return text.startsWith('#!') ? text.replace(/^#![^\n]*/, prefix) : prefix + text;
}

function usesFree(text, name) {
  if (!text.includes(name)) return false;
  const use = name === 'require' ? /(?<![\w$.'"])require\s*[.(]|typeof\s+require\b/ : new RegExp(`(?<![\\w$.'"])${name}(?![\\w$'"])`);
  if (!use.test(text)) return false;
  const declared = new RegExp(
    `\\b(?:const|let|var|function|class)\\s+${name}\\b|\\bas\\s+${name}\\b|[{,]\\s*${name}\\s*[,}][^;\\n]*from\\s*['"]|,\\s*${name}\\s*=[^=]|\\bimport\\s+${name}\\b`,
  );
  return !declared.test(text);
}
