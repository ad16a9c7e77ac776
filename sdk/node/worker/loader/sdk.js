// Loose linking of the SDK: an importer gets what it names; an unknown name becomes a stub that fails when used.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Directory URL of the SDK, with a trailing slash. */
export const SDK_ROOT = new URL('../../', import.meta.url).href;
const SPECIFIER = /^(?:openclaw|clawdbot|moltbot|@openclaw\/plugin-sdk)(?:$|\/)/;
const RUNTIME_STUBS = new URL('../../plugin-sdk/internal/missing.js', import.meta.url).href;

let known;
/** Names that each subpath of our SDK carries, by subpath. */
function exportsOf(subpath) {
  known ??= JSON.parse(fs.readFileSync(fileURLToPath(new URL('exports.json', SDK_ROOT)), 'utf8'));
  return known[subpath];
}

/** Reports of all importers: rows `{subpath, name, importer}` and `{subpath, importer}`. */
export const missing = { exports: [], subpaths: [] };
const virtual = new Map();
const reported = new Set();

/** Whether a specifier names the SDK. */
export function isSdkSpecifier(specifier) {
  return SPECIFIER.test(specifier);
}

/** `openclaw/plugin-sdk/x` -> `x`; the package root and the root barrel are `index`. */
function subpathOf(specifier) {
  const rest = specifier.replace(SPECIFIER, '').replace(/^plugin-sdk(?:\/|$)/, '').replace(/\.(?:js|ts|mjs)$/, '');
  return rest === '' ? 'index' : rest;
}

function report(list, row) {
  const key = `${row.subpath}\0${row.name ?? ''}\0${row.importer}`;
  if (reported.has(key)) return;
  reported.add(key);
  list.push(row);
}

/**
 * Resolves an SDK specifier for an importer. `wanted` is what the importer's text imports from it statically;
 * `undefined` for `require` and dynamic imports, which fail when the subpath does not exist.
 */
export function resolveSdk(specifier, importer, wanted) {
  if (specifier.endsWith('/package.json')) return { url: new URL('package.json', SDK_ROOT).href };
  const subpath = subpathOf(specifier);
  const names = exportsOf(subpath);
  if (!names) {
    report(missing.subpaths, { subpath, importer });
    if (!wanted) throw missingSubpath(specifier, importer);
    return { url: virtualModule(subpath, null, [...wanted.names], importer), format: 'module' };
  }
  const real = new URL(`plugin-sdk/${subpath}.js`, SDK_ROOT).href;
  const unknown = wanted ? [...wanted.names].filter((name) => !names.includes(name)) : [];
  if (unknown.length === 0) return { url: real, format: 'module' };
  return { url: virtualModule(subpath, real, unknown, importer), format: 'module' };
}

function missingSubpath(specifier, importer) {
  const error = new Error(`Cannot find module '${specifier}' imported from ${importer}: this SDK does not carry that subpath`);
  error.code = 'ERR_MODULE_NOT_FOUND';
  return error;
}

function virtualModule(subpath, real, names, importer) {
  const lines = [`import { missingExport } from ${JSON.stringify(RUNTIME_STUBS)};`];
  if (real) lines.push(`import * as sdk from ${JSON.stringify(real)};`, `export * from ${JSON.stringify(real)};`);
  for (const name of names) {
    if (name === 'default') {
      lines.push(`export default ${real ? 'sdk' : '{}'};`);
      continue;
    }
    report(missing.exports, { subpath, name, importer });
    lines.push(`const $${name} = missingExport(${JSON.stringify(subpath)}, ${JSON.stringify(name)});`, `export { $${name} as ${name} };`);
  }
  const url = `chela-sdk:${subpath}/${virtual.size}`;
  virtual.set(url, lines.join('\n'));
  return url;
}

/** The text of a virtual module made by `resolveSdk`. */
export function virtualSource(url) {
  return virtual.get(url);
}
