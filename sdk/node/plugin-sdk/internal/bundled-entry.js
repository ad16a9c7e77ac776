// Split channel entries: their parts are named by specifiers beside the entry, and loaded when needed.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { emptyChannelConfigSchema } from './config-schema.js';
import { registerByMode } from './channel-plugin.js';

const SOURCES = new Map([['.js', '.ts'], ['.mjs', '.mts'], ['.cjs', '.cts']]);

function candidates(importMetaUrl, specifier) {
  const directory = path.dirname(fileURLToPath(importMetaUrl));
  const names = [specifier, specifier.replace(/^\.\/src\//, './')];
  return [...new Set(names)].flatMap((name) => {
    const file = path.resolve(directory, name);
    const ext = path.extname(file);
    return SOURCES.has(ext) ? [file, file.slice(0, -ext.length) + SOURCES.get(ext)] : [file];
  });
}

function inside(directory, file) {
  const relative = path.relative(fs.realpathSync(directory), fs.realpathSync(file));
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function locate(importMetaUrl, specifier) {
  const importer = fileURLToPath(importMetaUrl);
  const root = path.dirname(importer);
  const files = candidates(importMetaUrl, specifier);
  const found = files.find((file) => fs.existsSync(file));
  if (found && inside(root, found)) return found;
  const reason = found ? 'validation' : 'path';
  throw new Error(
    `bundled plugin entry "${specifier}" failed to open from "${importer}" (resolved "${found ?? files[0]}", plugin root "${root}", reason "${reason}")`,
  );
}

/** Loads one export of a part. */
export function loadBundledEntryExportSync(importMetaUrl, { specifier, exportName }) {
  const module = createRequire(importMetaUrl)(locate(importMetaUrl, specifier));
  const value = module && typeof module === 'object' && 'default' in module ? module.default : module;
  if (!exportName) return value;
  const holder = value ?? module;
  if (holder && exportName in Object(holder)) return holder[exportName];
  if (module && exportName in Object(module)) return module[exportName];
  throw new Error(`missing export "${exportName}" from bundled entry module ${specifier}`);
}

function loader(importMetaUrl, reference) {
  return reference ? () => loadBundledEntryExportSync(importMetaUrl, reference) : undefined;
}

function runtimeSetter(importMetaUrl, reference) {
  return reference ? (runtime) => void loadBundledEntryExportSync(importMetaUrl, reference)(runtime) : undefined;
}

function present(members) {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** The entry of a channel plugin with parts. */
export function defineBundledChannelEntry(params) {
  const { id, name, description, importMetaUrl: url, configSchema, features, accountInspect, registerCliMetadata, registerFull } = params;
  const loadChannelPlugin = loader(url, params.plugin);
  const setChannelRuntime = runtimeSetter(url, params.runtime);
  return {
    kind: 'bundled-channel-entry',
    id,
    name,
    description,
    configSchema: typeof configSchema === 'function' ? configSchema() : (configSchema ?? emptyChannelConfigSchema()),
    ...(features || accountInspect ? { features: { ...features, ...(accountInspect ? { accountInspect: true } : {}) } } : {}),
    register: (api) => registerByMode(api, { channel: loadChannelPlugin, setRuntime: setChannelRuntime, registerCliMetadata, registerFull }),
    loadChannelPlugin,
    ...present({
      loadChannelOutbound: loader(url, params.outbound),
      loadChannelSecrets: loader(url, params.secrets),
      loadChannelAccountInspector: loader(url, accountInspect),
      setChannelRuntime,
    }),
  };
}

/** The setup entry of a channel plugin with parts. */
export function defineBundledChannelSetupEntry(params) {
  const { importMetaUrl: url } = params;
  return {
    kind: 'bundled-channel-setup-entry',
    loadSetupPlugin: loader(url, params.plugin),
    ...present({
      loadSetupSecrets: loader(url, params.secrets),
      loadLegacyStateMigrationDetector: loader(url, params.legacyStateMigrations),
      loadLegacySessionSurface: loader(url, params.legacySessionSurface),
      setChannelRuntime: runtimeSetter(url, params.runtime),
      features: params.features,
    }),
  };
}
