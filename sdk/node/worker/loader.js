// Module resolution and loading for plugins: as loose as the loader plugins were written for.
import fs from 'node:fs';
import path from 'node:path';
import { builtinModules, createRequire, registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { peer } from './state.js';
import { SDK_ROOT, isSdkSpecifier, missing, resolveSdk, virtualSource } from './loader/sdk.js';
import { addCjsGlobals, dropUnusedImports, looksLikeCjs, looksLikeEsm, scanImports } from './loader/scan.js';

const TRY_EXTENSIONS = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.json'];
const TS_FOR_JS = new Map([['.js', ['.ts', '.tsx']], ['.mjs', ['.mts']], ['.cjs', ['.cts']], ['.jsx', ['.tsx']]]);
const TYPESCRIPT = new Set(['.ts', '.mts', '.cts', '.tsx']);
const BUILTINS = new Set(builtinModules);
const MAX_RELINKS = 64;

/** What each module imports statically, by URL without its generation. */
const importsOf = new Map();
/** Names that a linked module turned out not to have: `importer\0specifier` -> names. */
const looseNames = new Map();
const looseModules = new Map();
let generation = 0;
let pluginRoots = [];
let installed = false;

/** Installs the hooks once per process. */
export function installLoader() {
  if (installed) return;
  installed = true;
  registerHooks({ resolve, load });
}

/** What the modules below a directory asked for in vain. */
export function linkReportFor(rootDir) {
  const here = (row) => row.importer.includes(rootDir);
  const relative = (row) => ({ ...row, importer: path.relative(rootDir, pathOf(row.importer)) });
  return { missingExports: missing.exports.filter(here).map(relative), missingSubpaths: missing.subpaths.filter(here).map(relative) };
}

function pathOf(url) {
  return url.startsWith('file:') ? fileURLToPath(url) : url;
}

/**
 * Imports an entry. A module that lacks a name which an importer asks for fails to link; the name is then served
 * as `undefined` (it was a type, or the loader that plugins were written for reads it so) and the import is tried again.
 */
export async function importEntry(url, rootDir) {
  const root = fs.realpathSync(rootDir);
  if (!pluginRoots.includes(root)) pluginRoots.push(root);
  for (let attempt = 0; ; attempt++) {
    try {
      return await import(withGeneration(url));
    } catch (error) {
      if (attempt >= MAX_RELINKS || !loosen(error)) throw error;
      generation++;
    }
  }
}

function withGeneration(url) {
  return generation > 0 ? `${url}?relink=${generation}` : url;
}

function plainUrl(url) {
  const at = url.indexOf('?relink=');
  return at < 0 ? url : url.slice(0, at);
}

/** Remembers the name in a link error; false when the error is of another kind or nothing new. */
function loosen(error) {
  if (!(error instanceof SyntaxError)) return false;
  const found =
    /^The requested module '([^']+)' does not provide an export named '([^']+)'/.exec(error.message) ??
    namedExportOfCjs(error.message);
  const importer = /^(file:\/\/[^\n]*?):\d+\n/.exec(error.stack ?? '')?.[1];
  if (!found || !importer) return false;
  const key = `${plainUrl(importer)}\0${found[1]}`;
  const names = looseNames.get(key) ?? new Set();
  if (names.has(found[2])) return false;
  looseNames.set(key, names.add(found[2]));
  return true;
}

function namedExportOfCjs(message) {
  const match = /^Named export '([^']+)' not found\. The requested module '([^']+)' is a CommonJS module/.exec(message);
  return match && [match[0], match[2], match[1]];
}

function isRequire(context) {
  return context.conditions?.includes('require') && !context.conditions.includes('import');
}

function resolve(specifier, context, nextResolve) {
  const parent = context.parentURL;
  if (specifier.startsWith('node:') || BUILTINS.has(specifier) || specifier.startsWith('chela-')) {
    return specifier.startsWith('chela-') ? { url: specifier, format: 'module', shortCircuit: true } : nextResolve(specifier, context);
  }
  if (parent?.startsWith(SDK_ROOT) && !isSdkSpecifier(specifier)) return nextResolve(specifier, context);
  const importer = parent ? plainUrl(parent) : '';
  if (isSdkSpecifier(specifier)) {
    const wanted = isRequire(context) ? undefined : importsOf.get(importer)?.get(specifier);
    return { ...resolveSdk(specifier, importer, wanted), shortCircuit: true };
  }
  const found = resolveFile(specifier, context, nextResolve);
  if (isRequire(context)) return found;
  return loosened(specifier, importer, own(found));
}

/** Gives a plugin's own files the current generation, so that a relinked graph is new. */
function own(found) {
  if (generation === 0 || !found.url.startsWith('file:') || found.url.includes('?')) return found;
  return isOwn(fileURLToPath(found.url)) ? { ...found, url: withGeneration(found.url) } : found;
}

/** Whether a file is a plugin's own and not one of a dependency. An installed plugin lies in a `node_modules` itself. */
function isOwn(file) {
  return pluginRoots.some((root) => file.startsWith(root + path.sep) && !inModules(file.slice(root.length)));
}

function inModules(file) {
  return file.includes(`${path.sep}node_modules${path.sep}`);
}

function loosened(specifier, importer, found) {
  const names = looseNames.get(`${importer}\0${specifier}`);
  if (!names) return found;
  const target = JSON.stringify(found.url);
  const lines = [`import * as target from ${target};`, `export * from ${target};`, 'const inner = target.default ?? {};'];
  if (!names.has('default')) lines.push('export default target.default;');
  for (const name of names) {
    if (name === 'default') lines.push('export default target;');
    else lines.push(`const $${name} = target[${JSON.stringify(name)}] ?? inner[${JSON.stringify(name)}];`, `export { $${name} as ${name} };`);
  }
  const url = `chela-loose:${looseModules.size}`;
  looseModules.set(url, lines.join('\n'));
  return { url, format: 'module', shortCircuit: true };
}

function resolveFile(specifier, context, nextResolve) {
  try {
    return nextResolve(specifier, context);
  } catch (error) {
    if (!context.parentURL?.startsWith('file:')) throw error;
    const target = looseTarget(specifier, plainUrl(context.parentURL));
    if (!target) throw error;
    return { url: target, shortCircuit: true };
  }
}

/** What a specifier that Node refuses was meant to be, as a URL. */
function looseTarget(specifier, parentURL) {
  if (!/^(?:\.{1,2}(?:\/|$)|\/|file:)/.test(specifier)) {
    const file = looseBare(specifier, parentURL);
    return file && pathToFileURL(fs.realpathSync(file)).href;
  }
  const base = new URL(specifier, parentURL).href;
  const query = /[?#].*$/.exec(base)?.[0] ?? '';
  const file = looseFile(fileURLToPath(base.slice(0, base.length - query.length)));
  return file && pathToFileURL(fs.realpathSync(file)).href + query;
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Finds the file that a path means: itself, its TypeScript source, with an extension, or the index of a directory. */
function looseFile(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return file;
  const ext = path.extname(file);
  for (const other of TS_FOR_JS.get(ext) ?? []) {
    const source = file.slice(0, -ext.length) + other;
    if (isFile(source)) return source;
  }
  for (const other of TRY_EXTENSIONS) if (isFile(file + other)) return file + other;
  if (!stat?.isDirectory()) return undefined;
  const main = mainOf(file);
  if (main) return main;
  for (const other of TRY_EXTENSIONS) {
    const index = path.join(file, `index${other}`);
    if (isFile(index)) return index;
  }
  return undefined;
}

function mainOf(directory) {
  try {
    const { main } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
    return typeof main === 'string' ? looseFile(path.join(directory, main)) : undefined;
  } catch {
    return undefined;
  }
}

/** A bare specifier that Node refuses: what `require` would find, or a file of the package without its extension. */
function looseBare(specifier, parentURL) {
  const parts = specifier.split('/');
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
  const rest = parts.slice(specifier.startsWith('@') ? 2 : 1).join('/');
  const lookup = createRequire(parentURL).resolve.paths(name) ?? [];
  for (const directory of lookup) {
    const root = path.join(directory, name);
    if (!fs.existsSync(root)) continue;
    const found = looseFile(rest ? path.join(root, rest) : root);
    if (found) return found;
  }
  return undefined;
}

function load(url, context, nextLoad) {
  if (url.startsWith('chela-sdk:')) return { format: 'module', source: virtualSource(url), shortCircuit: true };
  if (url.startsWith('chela-loose:')) return { format: 'module', source: looseModules.get(url), shortCircuit: true };
  if (!url.startsWith('file:') || url.startsWith(SDK_ROOT)) return nextLoad(url, context);
  const file = fileURLToPath(url);
  const ext = path.extname(file);
  if (TYPESCRIPT.has(ext)) return loadTypeScript(url, file, ext);
  if (ext === '.json') return isRequire(context) ? nextLoad(url, context) : loadJson(file);
  if (inModules(file) && !isOwn(file)) return loadDependency(url, context, nextLoad);
  if (ext === '.js' || ext === '.mjs' || ext === '.jsx') return loadScript(url, file, ext, context, nextLoad);
  return nextLoad(url, context);
}

function remember(url, text) {
  importsOf.set(plainUrl(url), scanImports(text, (specifier) => isSdkSpecifier(specifier)));
}

function loadTypeScript(url, file, ext) {
  const { code, map } = peer.requestSync('transpile', { path: file });
  const isModule = ext === '.mts' || (ext !== '.cts' && (looksLikeEsm(code) || !looksLikeCjs(code)));
  if (!isModule) return { format: 'commonjs', source: code, shortCircuit: true };
  let text = addCjsGlobals(dropUnusedImports(code));
  remember(url, text);
  if (map) {
    process.setSourceMapsEnabled(true);
    const body = Buffer.from(typeof map === 'string' ? map : JSON.stringify(map)).toString('base64');
    text += `\n//# sourceMappingURL=data:application/json;base64,${body}`;
  }
  return { format: 'module', source: text, shortCircuit: true };
}

function loadJson(file) {
  const value = JSON.parse(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  const lines = [`const value = ${JSON.stringify(value)};`, 'export default value;'];
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    for (const key of Object.keys(value)) {
      if (/^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default') {
        lines.push(`const $${key} = value[${JSON.stringify(key)}];`, `export { $${key} as ${key} };`);
      }
    }
  }
  return { format: 'module', source: lines.join('\n'), shortCircuit: true };
}

function loadDependency(url, context, nextLoad) {
  const result = nextLoad(url, context);
  if (result.format === 'module' && result.source && Buffer.from(result.source).includes('openclaw')) remember(url, String(result.source));
  return result;
}

function loadScript(url, file, ext, context, nextLoad) {
  const text = fs.readFileSync(file, 'utf8');
  const esm = looksLikeEsm(text);
  if (!esm && (ext === '.js' || ext === '.jsx') && (looksLikeCjs(text) || context.format === 'commonjs')) {
    return context.format === 'module' ? { format: 'commonjs', source: text, shortCircuit: true } : nextLoad(url, context);
  }
  if (!esm && ext !== '.mjs') return nextLoad(url, context);
  remember(url, text);
  return { format: 'module', source: addCjsGlobals(text), shortCircuit: true };
}
