// The `api` object that `register` receives. Every registration travels to the host as `{method, args, site}`.
import os from 'node:os';
import path from 'node:path';
import { peer, snapshot } from './state.js';
import { createLogger } from './logger.js';
import { keepChannel } from './channels.js';

const CAPABILITY_METHODS = [
  'registerTool', 'registerHook', 'registerHttpRoute', 'registerHttpHandler', 'registerHostedMediaResolver', 'registerProvider',
  'registerModelCatalogProvider', 'registerAgentHarness', 'registerCliBackend', 'registerTextTransforms',
  'registerSpeechProvider', 'registerRealtimeTranscriptionProvider', 'registerRealtimeVoiceProvider',
  'registerMediaUnderstandingProvider', 'registerImageGenerationProvider', 'registerVideoGenerationProvider',
  'registerMusicGenerationProvider', 'registerWebFetchProvider', 'registerWebSearchProvider',
  'registerMigrationProvider', 'registerGatewayMethod', 'registerNodeCliFeature', 'registerReload',
  'registerNodeHostCommand', 'registerNodeInvokePolicy', 'registerSecurityAuditCollector', 'registerService',
  'registerGatewayDiscoveryService', 'registerInteractiveHandler', 'onConversationBindingResolved', 'registerCommand',
  'registerContextEngine', 'registerCompactionProvider', 'registerAgentToolResultMiddleware',
  'registerCodexAppServerExtensionFactory', 'registerTrustedToolPolicy', 'registerToolMetadata',
  'registerSessionExtension', 'registerControlUiDescriptor', 'registerRuntimeLifecycle',
  'registerAgentEventSubscription', 'registerSessionSchedulerJob', 'registerSessionAction',
  'registerDetachedTaskRuntime', 'registerMemoryCapability', 'registerMemoryPromptSection', 'registerMemoryFlushPlan',
  'registerMemoryRuntime', 'registerMemoryPromptSupplement', 'registerMemoryCorpusSupplement',
  'registerMemoryEmbeddingProvider', 'registerEmbeddingProvider', 'registerTranscriptSourceProvider', 'on',
];
/** Methods that the setup loader collects. */
const SETUP_METHODS = ['registerConfigMigration', 'registerAutoEnableProbe'];
const MEMORY_METHODS = new Map([
  ['registerMemoryCapability', 'memory capability'],
  ['registerMemoryPromptSection', 'memory prompt section'],
  ['registerMemoryFlushPlan', 'memory flush plan'],
  ['registerMemoryRuntime', 'memory runtime'],
]);
const CAPABILITY_MODES = new Set(['full', 'discovery', 'tool-discovery']);

/** Every registration method of the api, for tests and documentation. */
export const REGISTRATION_METHODS = [...CAPABILITY_METHODS, ...SETUP_METHODS, 'registerCli', 'registerChannel'];

/**
 * Builds the api of one plugin.
 * Returns `{api, record, close}`: `record` adds a registration, `close` ends the registration phase.
 */
export function createApi(plugin, params, definition) {
  const state = { open: true, late: new Set(), mode: params.registrationMode };
  const logger = createLogger(plugin.id);
  plugin.logger = logger;
  plugin.config = () => snapshot.config;
  plugin.pluginConfig = params.pluginConfig;
  plugin.name = definition?.name ?? params.name;

  const record = (method, args) => {
    peer.exports.pluginId = plugin.id;
    try {
      const row = { method, args: peer.encode([...args]) };
      const site = callSite(plugin.rootDir);
      if (site) row.site = site;
      plugin.registrations.push(row);
      // The SDK finds what this worker has with its functions, where the row holds only their handles.
      plugin.given.push({ method, args });
    } finally {
      peer.exports.pluginId = undefined;
    }
  };
  const api = {
    id: plugin.id,
    name: definition?.name ?? params.name ?? plugin.id,
    version: definition?.version ?? params.version,
    description: definition?.description ?? params.description,
    source: plugin.entry,
    rootDir: plugin.rootDir,
    registrationMode: params.registrationMode,
    pluginConfig: params.pluginConfig,
    logger,
  };
  Object.defineProperty(api, 'config', { get: () => snapshot.config, set: () => {}, enumerable: true, configurable: true });
  defineRuntime(api, plugin, params.registrationMode);
  addRegistrations(api, plugin, state, record);
  addLateCallable(api, plugin);
  addGroups(api);
  return { api, record, close: () => (state.open = false) };
}

function defineRuntime(api, plugin, mode) {
  let runtime;
  Object.defineProperty(api, 'runtime', {
    get: () => (runtime ??= mode === 'cli-metadata' ? {} : requireRuntime().createRuntime(plugin)),
    set: () => {},
    enumerable: true,
    configurable: true,
  });
}

let runtimeModule;
function requireRuntime() {
  runtimeModule ??= process.getBuiltinModule('module').createRequire(import.meta.url)('./runtime.js');
  return runtimeModule;
}

/** Whether a method does anything in a registration mode. */
function worksIn(method, mode) {
  if (method === 'registerCli') return true;
  if (method === 'registerChannel') return mode !== 'cli-metadata';
  if (SETUP_METHODS.includes(method)) return mode.startsWith('setup-');
  return CAPABILITY_MODES.has(mode);
}

function addRegistrations(api, plugin, state, record) {
  for (const method of REGISTRATION_METHODS) {
    const takes = RETURNS[method];
    api[method] = (...args) => {
      if (!state.open) return reportLate(plugin, state, method);
      if (!worksIn(method, state.mode)) return undefined;
      check(method, args, plugin);
      if (method === 'registerChannel') keepChannel(plugin, args[0]);
      if (takes) return takes(args, plugin, record);
      record(method, args);
      return undefined;
    };
    Object.defineProperty(api[method], 'name', { value: method });
  }
}

/** Registration calls after `register` returned do nothing; the host is told once per method. */
function reportLate(plugin, state, method) {
  if (state.late.has(method)) return undefined;
  state.late.add(method);
  peer.note('diag', {
    pluginId: plugin.id,
    level: 'warn',
    code: 'late_registration',
    method,
    message: `\`api.${method}\` was called after \`register\` returned and had no effect; register synchronously`,
  });
  return undefined;
}

/** What must throw inside the plugin. */
function check(method, args, plugin) {
  if (method === 'registerHook') {
    const options = args[2];
    const name = options?.entry?.hook?.name ?? options?.name;
    if (typeof name !== 'string' || !name.trim()) throw new Error('hook registration missing name');
  }
  if (MEMORY_METHODS.has(method)) {
    const kinds = Array.isArray(plugin.kind) ? plugin.kind : [plugin.kind];
    if (!kinds.includes('memory')) throw new Error(`only memory plugins can register a ${MEMORY_METHODS.get(method)}`);
  }
}

/** Replacements of one direction, for those that the host cannot make: regular expressions. */
function applyTransforms(transforms) {
  return (direction, texts) =>
    texts.map((text) => (transforms?.[direction] ?? []).reduce((next, { from, to }) => next.replace(from, to), text));
}

/** Methods that do more than travel as they are. */
const RETURNS = {
  registerTextTransforms([transforms], plugin, record) {
    record('registerTextTransforms', [transforms, applyTransforms(transforms)]);
  },
  registerCliBackend([backend], plugin, record) {
    record('registerCliBackend', backend?.textTransforms ? [backend, applyTransforms(backend.textTransforms)] : [backend]);
  },
  // What blocking calls of this worker need is kept here too: the host cannot call back meanwhile.
  registerProvider([provider], plugin, record) {
    record('registerProvider', [provider]);
    if (provider && typeof provider === 'object') (plugin.providers ??= []).push(provider);
  },
  // What builds prompt lines is kept here too: a plugin of this worker may ask for them while the host cannot call back.
  registerMemoryCapability([capability], plugin, record) {
    record('registerMemoryCapability', [capability]);
    plugin.memoryPrompt = capability?.promptBuilder;
  },
  registerMemoryPromptSection([builder], plugin, record) {
    record('registerMemoryPromptSection', [builder]);
    plugin.memoryPrompt = builder;
  },
  registerMemoryPromptSupplement([builder], plugin, record) {
    record('registerMemoryPromptSupplement', [builder]);
    plugin.memorySupplement = builder;
  },
  registerSessionSchedulerJob([job], plugin, record) {
    const text = (value) => (typeof value === 'string' ? value.trim() : '');
    const id = text(job?.id);
    const sessionKey = text(job?.sessionKey);
    const kind = text(job?.kind);
    record('registerSessionSchedulerJob', [job]);
    plugin.schedulerJobs ??= new Set();
    const valid = id && sessionKey && kind && (job.cleanup === undefined || typeof job.cleanup === 'function');
    if (!valid || plugin.schedulerJobs.has(id)) return undefined;
    plugin.schedulerJobs.add(id);
    return { id, pluginId: plugin.id, sessionKey, kind };
  },
};

/** Members that stay callable after `register` returned. */
function addLateCallable(api, plugin) {
  const pluginId = plugin.id;
  const ask = (method, params) => peer.request(method, { pluginId, ...params });
  const askSync = (method, params) => peer.requestSync(method, { pluginId, ...params });
  api.resolvePath = (input) => resolvePluginPath(input, plugin.rootDir);
  api.enqueueNextTurnInjection = (injection) => ask('host.session.enqueueNextTurnInjection', injection);
  api.sendSessionAttachment = (params) => ask('host.session.sendAttachment', params);
  api.scheduleSessionTurn = (schedule) => ask('host.session.scheduleTurn', schedule);
  api.unscheduleSessionTurnsByTag = (params) => ask('host.session.unscheduleTurnsByTag', params);
  api.emitAgentEvent = (event) => askSync('host.agentEvent.emit', event);
  api.setRunContext = (patch) => askSync('host.runContext.set', patch);
  api.getRunContext = (params) => askSync('host.runContext.get', params) ?? undefined;
  api.clearRunContext = (params) => void askSync('host.runContext.clear', params);
}

function addGroups(api) {
  const pick = (...names) => Object.fromEntries(names.map((name) => [name, api[name]]));
  api.session = {
    state: pick('registerSessionExtension'),
    workflow: pick(
      'enqueueNextTurnInjection', 'registerSessionSchedulerJob', 'sendSessionAttachment', 'scheduleSessionTurn',
      'unscheduleSessionTurnsByTag',
    ),
    controls: pick('registerSessionAction', 'registerControlUiDescriptor'),
  };
  api.agent = { events: pick('registerAgentEventSubscription', 'emitAgentEvent') };
  api.runContext = pick('setRunContext', 'getRunContext', 'clearRunContext');
  api.lifecycle = pick('registerRuntimeLifecycle');
}

/** `~`, absolute and blank inputs follow user-path rules; others are relative to the plugin. */
export function resolvePluginPath(input, rootDir) {
  const text = String(input).trim();
  if (!text) return text;
  if (text === '~' || /^~[\\/]/.test(text)) {
    return path.resolve(process.env.OPENCLAW_HOME?.trim() || process.env.HOME || os.homedir(), text.slice(2));
  }
  if (path.isAbsolute(text) || !rootDir) return path.resolve(text);
  return path.resolve(rootDir, text);
}

function callSite(rootDir) {
  const holder = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 8;
  Error.captureStackTrace(holder);
  Error.stackTraceLimit = limit;
  for (const line of String(holder.stack).split('\n')) {
    const at = rootDir ? line.indexOf(rootDir) : -1;
    if (at < 0) continue;
    const match = /^([^?)]*?)(?:\?[^:]*)?:(\d+):\d+\)?$/.exec(line.slice(at + rootDir.length + 1));
    if (match) return `${match[1]}:${match[2]}`;
  }
  return undefined;
}
