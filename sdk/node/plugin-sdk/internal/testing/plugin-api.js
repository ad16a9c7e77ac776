// The `api` of a plugin in a test: one that does nothing, and one that keeps what is registered.

const REGISTER = [
  'registerTool', 'registerHook', 'registerHttpRoute', 'registerHostedMediaResolver', 'registerChannel', 'registerGatewayMethod', 'registerCli', 'registerNodeCliFeature',
  'registerCliBackend', 'registerTextTransforms', 'registerService', 'registerGatewayDiscoveryService', 'registerReload', 'registerNodeHostCommand', 'registerNodeInvokePolicy',
  'registerSecurityAuditCollector', 'registerConfigMigration', 'registerMigrationProvider', 'registerAutoEnableProbe', 'registerProvider', 'registerModelCatalogProvider',
  'registerSpeechProvider', 'registerRealtimeTranscriptionProvider', 'registerRealtimeVoiceProvider', 'registerMediaUnderstandingProvider', 'registerImageGenerationProvider',
  'registerMusicGenerationProvider', 'registerVideoGenerationProvider', 'registerWebFetchProvider', 'registerWebSearchProvider', 'registerInteractiveHandler',
  'onConversationBindingResolved', 'registerCommand', 'registerContextEngine', 'registerCompactionProvider', 'registerAgentHarness', 'registerCodexAppServerExtensionFactory',
  'registerAgentToolResultMiddleware', 'registerDetachedTaskRuntime', 'registerSessionExtension', 'registerTrustedToolPolicy', 'registerToolMetadata', 'registerControlUiDescriptor',
  'registerRuntimeLifecycle', 'registerAgentEventSubscription', 'registerSessionSchedulerJob', 'registerSessionAction', 'registerMemoryCapability', 'registerMemoryPromptSection',
  'registerMemoryPromptSupplement', 'registerMemoryCorpusSupplement', 'registerMemoryFlushPlan', 'registerMemoryRuntime', 'registerMemoryEmbeddingProvider',
  'registerEmbeddingProvider', 'registerTranscriptSourceProvider', 'on',
];
/** Where a registration is kept: method -> list. */
const LISTS = {
  registerProvider: 'providers', registerModelCatalogProvider: 'modelCatalogProviders', registerAgentHarness: 'agentHarnesses', registerCliBackend: 'cliBackends',
  registerTextTransforms: 'textTransforms', registerCodexAppServerExtensionFactory: 'codexAppServerExtensionFactories', registerSpeechProvider: 'speechProviders',
  registerRealtimeTranscriptionProvider: 'realtimeTranscriptionProviders', registerRealtimeVoiceProvider: 'realtimeVoiceProviders',
  registerMediaUnderstandingProvider: 'mediaUnderstandingProviders', registerImageGenerationProvider: 'imageGenerationProviders',
  registerVideoGenerationProvider: 'videoGenerationProviders', registerMusicGenerationProvider: 'musicGenerationProviders', registerWebFetchProvider: 'webFetchProviders',
  registerWebSearchProvider: 'webSearchProviders', registerMigrationProvider: 'migrationProviders', registerMemoryEmbeddingProvider: 'memoryEmbeddingProviders',
  registerSessionExtension: 'sessionExtensions', registerTrustedToolPolicy: 'trustedToolPolicies', registerToolMetadata: 'toolMetadata',
  registerControlUiDescriptor: 'controlUiDescriptors', registerRuntimeLifecycle: 'runtimeLifecycles', registerAgentEventSubscription: 'agentEventSubscriptions',
  registerSessionAction: 'sessionActions',
};
const GROUPS = {
  session: {
    state: ['registerSessionExtension'],
    workflow: ['enqueueNextTurnInjection', 'registerSessionSchedulerJob', 'sendSessionAttachment', 'scheduleSessionTurn', 'unscheduleSessionTurnsByTag'],
    controls: ['registerSessionAction', 'registerControlUiDescriptor'],
  },
  agent: { events: ['registerAgentEventSubscription', 'emitAgentEvent'] },
};
const FLAT = { runContext: ['setRunContext', 'getRunContext', 'clearRunContext'], lifecycle: ['registerRuntimeLifecycle'] };

const quiet = () => ({ info() {}, warn() {}, error() {}, debug() {} });
const pick = (api, names) => Object.fromEntries(names.map((name) => [name, (...args) => api[name](...args)]));

function grouped(api) {
  for (const [name, parts] of Object.entries(GROUPS)) api[name] = Object.fromEntries(Object.entries(parts).map(([part, names]) => [part, pick(api, names)]));
  for (const [name, names] of Object.entries(FLAT)) api[name] = pick(api, names);
  return api;
}

/**
 * An api whose registrations do nothing, with the members that are given.
 * @param {object} [members]
 * @returns {object}
 */
export function createTestPluginApi({ agent: _agent, lifecycle: _lifecycle, runContext: _runContext, session: _session, ...members } = {}) {
  return grouped({
    id: 'test-plugin', name: 'test-plugin', source: 'test', registrationMode: 'full', config: {}, runtime: {}, logger: quiet(),
    ...Object.fromEntries(REGISTER.map((name) => [name, () => undefined])),
    resolvePath: (input) => input,
    enqueueNextTurnInjection: async ({ sessionKey }) => ({ enqueued: false, id: '', sessionKey }),
    emitAgentEvent: () => ({ emitted: false, reason: 'test api' }),
    setRunContext: () => false,
    getRunContext: () => undefined,
    clearRunContext() {},
    sendSessionAttachment: async () => ({ ok: false, error: 'test plugin api' }),
    scheduleSessionTurn: async () => undefined,
    unscheduleSessionTurnsByTag: async () => ({ removed: 0, failed: 0 }),
    ...members,
  });
}

const trimmed = (list) => (list ?? []).map((text) => text.trim()).filter(Boolean);

/**
 * An api that keeps what is registered, by kind.
 * @param {{id?: string, name?: string, source?: string, registrationMode?: string, config?: object}} [params]
 * @returns {object} `api`, and lists: `tools`, `providers`, `cliRegistrars`, `speechProviders` and so on
 */
export function createCapturedPluginRegistration({ id = 'captured-plugin-registration', name = 'Captured Plugin Registration', source = id, registrationMode = 'full', config = {} } = {}) {
  const kept = { tools: [], cliRegistrars: [], agentToolResultMiddlewares: [], sessionSchedulerJobs: [] };
  const members = {};
  for (const [method, list] of Object.entries(LISTS)) {
    kept[list] = [];
    members[method] = (item) => void kept[list].push(item);
  }
  let turns = 0;
  Object.assign(members, {
    registerTool: (tool) => void (typeof tool !== 'function' && kept.tools.push(tool)),
    registerCli(register, options) {
      const descriptors = (options?.descriptors ?? []).map((row) => ({ ...row, name: row.name.trim(), description: row.description.trim() })).filter((row) => row.name && row.description);
      const commands = trimmed([...(options?.commands ?? []), ...descriptors.map((row) => row.name)]);
      if (commands.length > 0) kept.cliRegistrars.push({ register, parentPath: trimmed(options?.parentPath), commands, descriptors });
    },
    registerAgentToolResultMiddleware: (handler, options) => void kept.agentToolResultMiddlewares.push({ pluginId: id, pluginName: name, rawHandler: handler, handler, runtimes: options?.runtimes, source }),
    registerSessionSchedulerJob(job) {
      kept.sessionSchedulerJobs.push(job);
      return { id: job.id, pluginId: id, sessionKey: job.sessionKey, kind: job.kind };
    },
    scheduleSessionTurn: async ({ sessionKey }) => ({ id: `captured-session-turn-${++turns}`, pluginId: id, sessionKey, kind: 'session-turn' }),
    emitAgentEvent: () => ({ emitted: false, reason: 'captured registration' }),
    sendSessionAttachment: async () => ({ ok: false, error: 'captured registration' }),
  });
  return { ...kept, api: createTestPluginApi({ id, name, source, registrationMode, config, ...members }) };
}

/**
 * Registers a plugin and gives what it registered.
 * @param {{register: (api: object) => void, id?: string, name?: string, source?: string}} params
 * @returns {object} as of `createCapturedPluginRegistration`
 */
export function capturePluginRegistration(params) {
  const captured = createCapturedPluginRegistration(params);
  params.register(captured.api);
  return captured;
}

/**
 * The providers of plugins.
 * @param {...{register: (api: object) => void}} plugins
 * @returns {Promise<object[]>}
 */
export async function registerProviderPlugins(...plugins) {
  const captured = createCapturedPluginRegistration();
  for (const plugin of plugins) plugin.register(captured.api);
  return captured.providers;
}

/**
 * The one provider of a plugin.
 * @param {{register: (api: object) => void}} plugin
 * @returns {Promise<object>}
 */
export async function registerSingleProviderPlugin(plugin) {
  const [provider] = await registerProviderPlugins(plugin);
  if (!provider) throw new Error('provider registration missing');
  return provider;
}

/**
 * What a plugin registers of providers, by kind.
 * @param {{plugin: {register: (api: object) => void}, id: string, name: string}} params
 * @returns {Promise<object>}
 */
export async function registerProviderPlugin({ plugin, id, name }) {
  const captured = capturePluginRegistration({ id, name, source: 'test', register: (api) => plugin.register(api) });
  const { providers, realtimeTranscriptionProviders, speechProviders, modelCatalogProviders } = captured;
  return {
    providers, realtimeTranscriptionProviders, speechProviders, modelCatalogProviders, mediaProviders: captured.mediaUnderstandingProviders,
    imageProviders: captured.imageGenerationProviders, musicProviders: captured.musicGenerationProviders, videoProviders: captured.videoGenerationProviders,
  };
}

/**
 * The provider with an id.
 * @param {object[]} providers
 * @param {string} providerId
 * @param {string} [label]
 * @returns {object}
 */
export function requireRegisteredProvider(providers, providerId, label = 'provider') {
  const provider = providers.find(({ id }) => id === providerId);
  if (!provider) throw new Error(`${label} ${providerId} missing`);
  return provider;
}
