// The `load` and `unload` methods: import the entry, check what it exports, run `register`, hand back what it registered.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { peer, plugins, snapshot } from './state.js';
import { importEntry, installLoader, linkReportFor } from './loader.js';
import { createApi } from './api.js';
import { trimWhenIdle } from './memory.js';

/** Names of exports that are shown of one object. */
const SHAPE_KEYS = 8;

/** How long a plugin may register that does so asynchronously. */
const ASYNC_REGISTER_MS = 10_000;

/** Fails a load with the phase that the host shows. */
class LoadError extends Error {
  constructor(phase, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = cause?.name ?? 'PluginLoadError';
    if (cause?.code !== undefined) this.code = cause.code;
    if (cause?.stack) this.stack = cause.stack;
    this.wireData = { phase };
  }
}

function failed(phase, error) {
  const text = error instanceof Error ? error.message : String(error);
  return new LoadError(phase, text, error instanceof Error ? error : undefined);
}

/** Serves `load`. */
export async function load(params) {
  const started = performance.now();
  Object.assign(snapshot, {
    config: params.config ?? {},
    configMark: params.configMark,
    hostVersion: params.hostVersion ?? '',
    stateDir: params.stateDir ?? '',
    workspaceDir: params.workspaceDir,
  });
  installLoader();
  grantEnv(params);
  const { sandbox } = params.permissions ?? {};
  const box = sandbox && (await import('./sandbox.js'));
  box?.confine(params.pluginId, sandbox);
  const entry = path.resolve(params.rootDir, params.entry);
  const plugin = {
    id: params.pluginId,
    rootDir: params.rootDir,
    entry,
    // Until `register` returns, and again when it fails, this is all there is of the plugin.
    params,
    registrations: [],
    given: [],
  };
  plugins.set(plugin.id, plugin);
  try {
    const module = await entryModule(params, plugin).catch((error) => {
      throw failed('load', error);
    });
    // A module may have begun imports that nothing awaits; what they share with this worker could not be required before they are linked.
    await new Promise((resolve) => setImmediate(resolve));
    const definition = await runRegister(plugin, module, params);
    trimWhenIdle();
    box?.flush();
    return {
      definition,
      registrations: plugin.registrations,
      linkReport: linkReportFor(plugin.rootDir),
      ms: Math.round((performance.now() - started) * 10) / 10,
    };
  } catch (error) {
    plugins.delete(plugin.id);
    peer.exports.dropPlugin(plugin.id);
    revokeEnv(plugin.id);
    box?.flush();
    throw error;
  }
}

/** The plugin's own entry, or the part of this worker that runs `HOOK.md` hooks. */
function entryModule(params, plugin) {
  if (params.entry === 'chela:hook-files') return import('./hookFiles.js');
  return importEntry(pathToFileURL(plugin.entry).href, plugin.rootDir);
}

/** Variables that a load brought: name -> id of the plugin. What the process was started with is not among them. */
const granted = new Map();

/**
 * Sets the variables of a plugin that joins a process which was started for another one. The environment is shared:
 * a name that has another value already keeps it, and the host is told.
 */
function grantEnv({ pluginId, env = {} }) {
  for (const [name, value] of Object.entries(env)) {
    const present = process.env[name];
    if (present === value) continue;
    if (present === undefined) {
      process.env[name] = value;
      granted.set(name, pluginId);
      continue;
    }
    peer.note('diag', {
      pluginId, level: 'warn', code: 'env_conflict', method: name,
      message: `the variable \`${name}\` has another value in the worker of this group; it keeps that one (give the plugin a worker of its own to change it)`,
    });
  }
}

function revokeEnv(pluginId) {
  for (const [name, owner] of granted) {
    if (owner !== pluginId) continue;
    granted.delete(name);
    delete process.env[name];
  }
}

/** Serves `unload`: services are already stopped, so only tables are dropped. */
export async function unload({ pluginId }) {
  const plugin = plugins.get(pluginId);
  plugin?.close?.();
  const { forget } = await import('./runtime/events.js');
  forget(pluginId);
  const { closeSockets } = await import('./adapters/httpUpgrade.js');
  closeSockets(pluginId);
  plugins.delete(pluginId);
  peer.exports.dropPlugin(pluginId);
  revokeEnv(pluginId);
  return { ok: true };
}

async function runRegister(plugin, module, params) {
  const { definition, register } = findExport(module);
  if (definition?.id && definition.id !== plugin.id) {
    throw new LoadError('validation', `plugin id mismatch (config uses "${plugin.id}", export uses "${definition.id}")`);
  }
  plugin.kind = definition?.kind ?? params.kind;
  const mode = params.registrationMode ?? 'full';
  const setup = setupRegister(definition, mode);
  if (typeof register !== 'function' && !setup) throw new LoadError('validation', missingRegister(plugin.kind, module));
  const { api, record, close } = createApi(plugin, { ...params, registrationMode: mode }, definition);
  plugin.api = api;
  plugin.close = close;
  if (mode === 'full') recordDefinition(definition, record);
  try {
    const pending = mode === 'validate' ? undefined : callRegister(register ?? setup, definition, api);
    if (pending) await registered(pending, record);
  } finally {
    close();
  }
  return describeDefinition(definition, register ?? setup);
}

function callRegister(register, definition, api) {
  let result;
  try {
    result = register.call(definition, api);
  } catch (error) {
    throw failed('register', error);
  }
  return result && typeof result.then === 'function' ? result : undefined;
}

/**
 * Older releases of the reference took an asynchronous `register`, the newer ones refuse it. Here what it registered in time counts,
 * and the host, which knows whether it is to be strict, is told.
 */
async function registered(pending, record) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${ASYNC_REGISTER_MS} ms`)), ASYNC_REGISTER_MS);
  });
  try {
    await Promise.race([pending, late]);
  } catch (error) {
    throw new LoadError('register', 'plugin register must be synchronous', error);
  } finally {
    clearTimeout(timer);
  }
  record('asyncRegister', []);
}

/** Searches wrappers for something that registers, the default export first. */
function findExport(module) {
  const queue = [unwrapDefault(module), module];
  const seen = new Set();
  for (let i = 0; i < queue.length && i < 12; i++) {
    const candidate = queue[i];
    if (seen.has(candidate)) continue;
    seen.add(candidate);
    if (typeof candidate === 'function') return { register: candidate };
    if (!candidate || typeof candidate !== 'object') continue;
    const register = candidate.register ?? candidate.activate;
    if (typeof register === 'function') return { definition: candidate, register };
    for (const key of ['default', 'module']) if (key in candidate) queue.push(candidate[key]);
  }
  const first = queue[0];
  if (first && typeof first === 'object') return { definition: first, register: first.register ?? first.activate };
  return {};
}

function unwrapDefault(value) {
  let current = value;
  for (let i = 0; i < 4 && current && typeof current === 'object' && 'default' in current; i++) current = current.default;
  return current;
}

function missingRegister(kind, module) {
  const kinds = Array.isArray(kind) ? kind : [kind];
  if (kinds.includes('bundled-channel-setup-entry')) return 'bundled channel setup entry requires setup-runtime loader';
  if (kinds.includes('bundled-channel-entry')) return 'bundled channel entry requires setup-runtime loader';
  const text = 'plugin export missing register/activate';
  if (!/^(1|true|yes|on)$/i.test(process.env.OPENCLAW_PLUGIN_LOAD_DEBUG?.trim() ?? '')) return text;
  return `${text} (module shape: ${exportShape(module, 'export', new Set()).join('; ')})`;
}

/** What a module exports, for authors who wonder what was found (INS-329). */
function exportShape(value, label, seen) {
  if (value === null || typeof value !== 'object') return [`${label}:${value === null ? 'null' : typeof value}`];
  if (seen.has(value)) return [`${label}:circular`];
  seen.add(value);
  const names = Object.keys(value).sort();
  const shown = names.slice(0, SHAPE_KEYS);
  if (names.length > shown.length) shown.push(`+${names.length - shown.length}`);
  const inner = ['default', 'module', 'register', 'activate'].filter((name) => Object.hasOwn(value, name));
  return [`${label}:object keys=${shown.join(',') || 'none'}`, ...inner.flatMap((name) => exportShape(value[name], `${label}.${name}`, seen))];
}

/** A split setup entry has no `register`; in the setup modes its channel is registered for it. */
function setupRegister(definition, mode) {
  if (typeof definition?.loadSetupPlugin !== 'function' && !definition?.plugin) return undefined;
  if (mode !== 'setup-only' && mode !== 'setup-runtime') return undefined;
  return (api) => {
    api.registerChannel({ plugin: definition.loadSetupPlugin?.() ?? definition.plugin });
    if (mode === 'setup-runtime') definition.setChannelRuntime?.(api.runtime);
  };
}

function recordDefinition(definition, record) {
  if (definition?.reload) record('registerReload', [definition.reload]);
  for (const command of definition?.nodeHostCommands ?? []) record('registerNodeHostCommand', [command]);
  for (const collector of definition?.securityAuditCollectors ?? []) record('registerSecurityAuditCollector', [collector]);
}

function describeDefinition(definition, register) {
  const entry = typeof definition?.register !== 'function' && definition?.activate === register ? 'activate' : 'object';
  const out = { shape: definition ? entry : typeof register };
  for (const key of ['id', 'name', 'version', 'description']) {
    if (typeof definition?.[key] === 'string') out[key] = definition[key];
  }
  if (definition?.kind !== undefined) out.kind = definition.kind;
  return out;
}
