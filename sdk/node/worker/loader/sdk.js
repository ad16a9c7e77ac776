// Loose linking of the SDK: an importer gets what it names; an unknown name becomes a stub that fails when used.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Directory URL of the SDK, with a trailing slash. */
export const SDK_ROOT = new URL('../../', import.meta.url).href;
const SPECIFIER = /^(?:openclaw|clawdbot|moltbot|@openclaw\/plugin-sdk)(?:$|\/)/;
const RUNTIME_STUBS = new URL('../../plugin-sdk/internal/missing.js', import.meta.url).href;

/** Modules with this many names are linked by what an importer names, so that it does not load all the others. */
const BARREL_NAMES = 40;
const REEXPORT = /^export \{([^}]*)\} from '(\.[^']+)';$/;
/** Where a name of the root barrel is looked for first. */
const ROOT_ORDER = ['compat', 'core'];

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
  const thin = wanted && !wanted.namespace && (subpath === 'index' || names.length >= BARREL_NAMES) ? thinLinks(subpath, [...wanted.names]) : undefined;
  if (thin) return { url: virtualModule(subpath, real, unknown.filter((name) => !thin.names.has(name)), importer, thin.lines), format: 'module' };
  if (unknown.length === 0) return { url: real, format: 'module' };
  return { url: virtualModule(subpath, real, unknown, importer), format: 'module' };
}

const links = new Map();
/** Where each name of a subpath comes from: name -> `{module, name}`; `undefined` when the file does more than pass names on. */
function linksOf(subpath) {
  if (!links.has(subpath)) links.set(subpath, readLinks(new URL(`plugin-sdk/${subpath}.js`, SDK_ROOT)));
  return links.get(subpath);
}

function readLinks(url) {
  const found = new Map();
  for (const line of fs.readFileSync(fileURLToPath(url), 'utf8').split('\n')) {
    if (!line || line.startsWith('//')) continue;
    const match = REEXPORT.exec(line);
    if (!match) return undefined;
    for (const part of match[1].split(',')) {
      const [name, alias = name] = part.trim().split(/\s+as\s+/);
      found.set(alias, { module: new URL(match[2], url).href, name });
    }
  }
  return found;
}

/** Lines that pass on only some names, straight from where they are made. The root barrel has the names of all subpaths. */
function thinLinks(subpath, names) {
  const own = linksOf(subpath);
  if (!own) return undefined;
  const lines = [];
  const linked = new Set();
  for (const name of names) {
    const link = own.get(name) ?? (subpath === 'index' ? anyLink(name) : undefined);
    if (!link) continue;
    lines.push(`export { ${link.name} as ${name} } from ${JSON.stringify(link.module)};`);
    linked.add(name);
  }
  return { lines, names: linked };
}

/** A name of any subpath. Older releases had them all in the root, and newer ones move some. */
function anyLink(name) {
  if (name === 'default') return undefined;
  const subpath = [...ROOT_ORDER, ...Object.keys(known)].find((one) => one !== 'zod' && exportsOf(one)?.includes(name));
  return subpath && (linksOf(subpath)?.get(name) ?? { module: new URL(`plugin-sdk/${subpath}.js`, SDK_ROOT).href, name });
}

function missingSubpath(specifier, importer) {
  const error = new Error(`Cannot find module '${specifier}' imported from ${importer}: this SDK does not carry that subpath`);
  error.code = 'ERR_MODULE_NOT_FOUND';
  return error;
}

function virtualModule(subpath, real, names, importer, thin) {
  const lines = [`import { missingExport } from ${JSON.stringify(RUNTIME_STUBS)};`, ...(thin ?? [])];
  if (names.includes('default') && thin) lines.push(`import * as sdk from ${JSON.stringify(real)};`);
  if (real && !thin) lines.push(`import * as sdk from ${JSON.stringify(real)};`, `export * from ${JSON.stringify(real)};`);
  for (const name of names) {
    if (name === 'default') {
      lines.push(`export default ${real ? 'sdk' : '{}'};`);
      continue;
    }
    const moved = anyLink(name);
    if (moved) {
      lines.push(`export { ${moved.name} as ${name} } from ${JSON.stringify(moved.module)};`);
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
