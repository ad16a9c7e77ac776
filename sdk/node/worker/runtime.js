// `api.runtime`: what needs state asks the host, what is plain computation is done here.
import { isDeepStrictEqual } from 'node:util';
import { peer, snapshot } from './state.js';
import { createLogger } from './logger.js';
import { listen } from './runtime/events.js';
import { LOCAL } from './runtime/local.js';

/**
 * Members by group. `async` ones are requests on the main lane, `sync` ones block until the host answers,
 * `local` ones are computed in the worker. The request is `host.<group>.<name>` with `{pluginId, args}`
 * unless a shape below gives it named parameters.
 */
const GROUPS = {
  agent: {
    async: ['ensureAgentWorkspace', 'runEmbeddedAgent', 'runEmbeddedPiAgent'],
    sync: [
      'resolveAgentDir', 'resolveAgentWorkspaceDir', 'resolveAgentIdentity', 'resolveAgentTimeoutMs', 'resolveThinkingDefault',
      'resolveThinkingPolicy',
    ],
    local: ['normalizeThinkingLevel'],
  },
  subagent: { async: ['run', 'waitForRun', 'getSessionMessages', 'getSession', 'deleteSession'] },
  nodes: { async: ['list', 'invoke'] },
  system: {
    async: ['runHeartbeatOnce', 'runCommandWithTimeout'],
    sync: ['enqueueSystemEvent', 'requestHeartbeat', 'requestHeartbeatNow'],
    local: ['formatNativeDependencyHint'],
  },
  media: {
    async: ['loadWebMedia', 'getImageMetadata', 'resizeToJpeg'],
    local: ['detectMime', 'mediaKindFromMime', 'isVoiceCompatibleAudio'],
  },
  tts: { async: ['textToSpeech', 'textToSpeechTelephony', 'textToSpeechStream', 'listVoices'] },
  stt: { async: ['transcribeAudioFile'] },
  mediaUnderstanding: {
    async: [
      'runFile', 'describeImageFile', 'describeImageFileWithModel', 'extractStructuredWithModel', 'describeVideoFile',
      'transcribeAudioFile',
    ],
  },
  imageGeneration: { async: ['generate'], sync: ['listProviders'] },
  videoGeneration: { async: ['generate'], sync: ['listProviders'] },
  musicGeneration: { async: ['generate'], sync: ['listProviders'] },
  webSearch: { async: ['search'], sync: ['listProviders'] },
  modelAuth: { async: ['getApiKeyForModel', 'resolveApiKeyForProvider', 'getRuntimeAuthForModel'] },
};

const CHANNEL = {
  text: {
    local: [
      'chunkByNewline', 'chunkMarkdownText', 'chunkMarkdownTextWithMode', 'chunkText', 'chunkTextWithMode', 'resolveChunkMode',
      'resolveTextChunkLimit', 'hasControlCommand', 'resolveMarkdownTableMode', 'convertMarkdownTables',
    ],
  },
  reply: {
    async: ['dispatchReplyWithBufferedBlockDispatcher', 'dispatchReplyFromConfig', 'withReplyDispatcher', 'settleReplyDispatcher'],
    sync: [
      'createReplyDispatcherWithTyping', 'resolveEffectiveMessagesConfig', 'resolveHumanDelayConfig', 'finalizeInboundContext',
      'formatAgentEnvelope', 'formatInboundEnvelope', 'resolveEnvelopeFormatOptions',
    ],
  },
  routing: { sync: ['resolveAgentRoute'], local: ['buildAgentSessionKey'] },
  pairing: { async: ['readAllowFromStore', 'upsertPairingRequest'], local: ['buildPairingReply'] },
  media: { async: ['fetchRemoteMedia', 'saveMediaBuffer'] },
  activity: { sync: ['record', 'get'] },
  session: {
    async: ['recordSessionMetaFromInbound', 'recordInboundSession', 'updateLastRoute'],
    sync: ['resolveStorePath', 'readSessionUpdatedAt'],
  },
  mentions: {
    sync: ['buildMentionRegexes', 'matchesMentionPatterns', 'matchesMentionWithExplicit'],
    local: ['implicitMentionKindWhen', 'resolveInboundMentionDecision'],
  },
  reactions: {
    sync: ['createAckReactionHandle', 'shouldAckReaction', 'removeAckReactionAfterReply', 'removeAckReactionHandleAfterReply'],
  },
  groups: { sync: ['resolveGroupPolicy', 'resolveRequireMention'] },
  debounce: { sync: ['createInboundDebouncer', 'resolveInboundDebounceMs'] },
  commands: {
    sync: ['isControlCommandMessage', 'shouldComputeCommandAuthorized', 'shouldHandleTextCommands'],
    local: ['resolveCommandAuthorizedFromAuthorizers'],
  },
  outbound: { async: ['loadAdapter'] },
  turn: { async: ['run', 'runAssembled', 'buildContext', 'runPrepared', 'runResolved', 'dispatchAssembled'] },
  threadBindings: { sync: ['setIdleTimeoutBySessionKey', 'setMaxAgeBySessionKey'] },
  runtimeContexts: { local: ['register', 'get', 'watch'] },
};

/** Host methods that take the one argument as named parameters. */
const NAMED = new Set([
  'host.subagent.run', 'host.subagent.waitForRun', 'host.subagent.getSessionMessages', 'host.subagent.deleteSession',
  'host.nodes.list', 'host.nodes.invoke', 'host.modelAuth.getApiKeyForModel', 'host.modelAuth.resolveApiKeyForProvider',
  'host.modelAuth.getRuntimeAuthForModel', 'host.system.runHeartbeatOnce', 'host.system.requestHeartbeat',
]);
const ALIASES = new Map([
  ['host.modelAuth.getApiKeyForModel', 'host.modelAuth.resolve'],
  ['host.modelAuth.resolveApiKeyForProvider', 'host.modelAuth.resolve'],
  ['host.subagent.getSession', 'host.subagent.getSessionMessages'],
]);

/** Builds the runtime of one plugin. */
export function createRuntime(plugin) {
  const warned = new Set();
  const runtime = { version: snapshot.hostVersion };
  Object.defineProperty(runtime, 'config', { value: configGroup(plugin, warned), enumerable: true });
  for (const [name, members] of Object.entries(GROUPS)) runtime[name] = group(plugin, name, members);
  finishAgent(runtime.agent, plugin);
  finishSystem(runtime.system, plugin);
  runtime.events = {
    onAgentEvent: (listener) => listen(plugin.id, 'agentEvent', listener),
    onSessionTranscriptUpdate: (listener) => listen(plugin.id, 'sessionTranscriptUpdate', listener),
  };
  runtime.logging = loggingGroup(plugin);
  runtime.state = stateGroup(plugin);
  runtime.llm = { complete: ({ signal, ...params } = {}) => ask(plugin, 'host.llm.complete', params, signal) };
  runtime.tasks = tasksGroup(plugin);
  runtime.taskFlow = runtime.tasks.managedFlows;
  runtime.channel = Object.fromEntries(Object.entries(CHANNEL).map(([name, members]) => [name, group(plugin, `channel.${name}`, members)]));
  return runtime;
}

function ask(plugin, method, params, signal) {
  return peer.request(method, { pluginId: plugin.id, ...params }, { signal });
}

function askSync(plugin, method, params) {
  return peer.requestSync(method, { pluginId: plugin.id, ...params });
}

function paramsOf(method, args) {
  return NAMED.has(method) ? args[0] : { args };
}

function group(plugin, name, { async = [], sync = [], local = [] }) {
  const out = {};
  for (const member of async) {
    const method = `host.${name}.${member}`;
    out[member] = (...args) => {
      const { signal, cfg: _cfg, ...rest } = args[0] && typeof args[0] === 'object' ? args[0] : {};
      const target = ALIASES.get(method) ?? method;
      if (NAMED.has(target) || NAMED.has(method)) return ask(plugin, target, rest, signal);
      return ask(plugin, target, { args });
    };
  }
  for (const member of sync) {
    const method = `host.${name}.${member}`;
    out[member] = (...args) => askSync(plugin, method, paramsOf(method, args));
  }
  for (const member of local) out[member] = LOCAL[`${name}.${member}`];
  return out;
}

function configGroup(plugin, warned) {
  const write = async (method, { mutate: _mutate, ...params }) => {
    const result = await ask(plugin, method, params);
    if (result?.nextConfig) snapshot.config = result.nextConfig;
    return result;
  };
  const deprecated = (name, replacement) => {
    if (warned.has(name)) return;
    warned.add(name);
    plugin.logger.warn(`\`runtime.config.${name}\` is deprecated (runtime-config-load-write); use \`${replacement}\``);
  };
  return {
    current: () => snapshot.config,
    async mutateConfigFile(params) {
      const base = await ask(plugin, 'host.config.read', { base: params.base ?? 'source' });
      if (params.baseHash !== undefined && params.baseHash !== base.hash) throw configConflict(base.hash);
      const draft = structuredClone(base.config ?? {});
      const result = await params.mutate(draft, { snapshot: base.snapshot ?? base, previousHash: base.hash });
      const done = await write('host.config.mutate', {
        nextConfig: draft, baseHash: base.hash, base: params.base ?? 'source', afterWrite: params.afterWrite ?? { mode: 'auto' },
        writeOptions: params.writeOptions,
      });
      return { ...done, result };
    },
    replaceConfigFile: (params) => write('host.config.replace', { afterWrite: { mode: 'auto' }, ...params }),
    loadConfig() {
      deprecated('loadConfig', 'runtime.config.current()');
      return snapshot.config;
    },
    writeConfigFile(nextConfig, writeOptions) {
      deprecated('writeConfigFile', 'runtime.config.replaceConfigFile()');
      return write('host.config.replace', { nextConfig, writeOptions, afterWrite: { mode: 'auto' } });
    },
  };
}

function configConflict(currentHash) {
  return Object.assign(new Error('config changed since last load'), { name: 'ConfigMutationConflictError', currentHash });
}

function finishAgent(agent, plugin) {
  agent.defaults = snapshot.defaults ?? { provider: 'anthropic', model: 'claude-opus-4-6' };
  agent.session = {
    resolveStorePath: (store, options) => askSync(plugin, 'host.session.resolveStorePath', { store, ...options }),
    resolveSessionFilePath: (sessionId, entry, options) => askSync(plugin, 'host.session.resolveSessionFilePath', { sessionId, entry, ...options }),
    loadSessionStore: (storePath) => askSync(plugin, 'host.session.loadStore', { storePath }),
    saveSessionStore: (storePath, store) => inTurn(() => writeStore(plugin, storePath, () => store)),
    updateSessionStore: (storePath, mutator) =>
      inTurn(async () => {
        let result;
        await writeStore(plugin, storePath, async (current) => {
          result = await mutator(current);
          return current;
        });
        return result;
      }),
    updateSessionStoreEntry: ({ storePath, sessionKey, update }) =>
      inTurn(async () => {
        let entry = null;
        await writeStore(plugin, storePath, async (current) => {
          if (!current[sessionKey]) return current;
          const patch = await update(structuredClone(current[sessionKey]));
          entry = { ...current[sessionKey], ...patch };
          return { ...current, [sessionKey]: entry };
        });
        return entry;
      }),
  };
}

let lastWrite = Promise.resolve();

/** Writes of session stores run one after another: a mutator sees what the one before it wrote. */
function inTurn(work) {
  const done = lastWrite.then(work);
  lastWrite = done.catch(() => {});
  return done;
}

/** Sends only what differs, member by member, so that what the gateway changes at the same time is kept. */
async function writeStore(plugin, storePath, change) {
  const before = await ask(plugin, 'host.session.loadStore', { storePath });
  const after = await change(structuredClone(before));
  const rows = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after ?? {})])) {
    const row = rowChange(before[key], after[key]);
    if (row !== undefined) rows[key] = row;
  }
  if (Object.keys(rows).length > 0) await ask(plugin, 'host.session.patchStore', { storePath, rows });
}

/** `null` for a row that goes, `{set, unset}` for one that changes, nothing for one that stays. */
function rowChange(before, after) {
  if (after === undefined || after === null) return before === undefined ? undefined : null;
  const set = {};
  for (const [name, value] of Object.entries(after)) if (value !== undefined && !isDeepStrictEqual(value, before?.[name])) set[name] = value;
  const unset = Object.keys(before ?? {}).filter((name) => after[name] === undefined);
  return Object.keys(set).length || unset.length ? { set, unset } : undefined;
}

function finishSystem(system, plugin) {
  system.enqueueSystemEvent = (text, options) => askSync(plugin, 'host.system.enqueueSystemEvent', { text, ...options });
  system.requestHeartbeatNow = (options) =>
    askSync(plugin, 'host.system.requestHeartbeat', { source: 'other', intent: 'immediate', ...options });
  system.runCommandWithTimeout = (argv, options) =>
    ask(plugin, 'host.system.runCommandWithTimeout', { argv, ...(typeof options === 'number' ? { timeoutMs: options } : options) });
}

function loggingGroup(plugin) {
  return {
    shouldLogVerbose: () => snapshot.verbose === true,
    getChildLogger: (bindings) => createLogger(plugin.id, bindings),
  };
}

function stateGroup(plugin) {
  return {
    resolveStateDir: () => snapshot.stateDir,
    openKeyedStore(options) {
      askSync(plugin, 'host.state.openKeyedStore', options);
      const namespace = String(options.namespace).trim();
      const run = (name, params) => ask(plugin, `host.state.${name}`, { namespace, ...params });
      return {
        register: async (key, value, entry) => void (await run('register', { key, value, ...entry })),
        registerIfAbsent: (key, value, entry) => run('registerIfAbsent', { key, value, ...entry }),
        lookup: async (key) => (await run('lookup', { key })) ?? undefined,
        consume: async (key) => (await run('consume', { key })) ?? undefined,
        delete: (key) => run('delete', { key }),
        entries: () => run('entries', {}),
        clear: async () => void (await run('clear', {})),
      };
    },
  };
}

const RUN_METHODS = ['get', 'list', 'findLatest', 'resolve', 'cancel'];
const FLOW_METHODS = ['get', 'list', 'findLatest', 'resolve', 'getTaskSummary'];
const MANAGED_METHODS = [...FLOW_METHODS, 'createManaged', 'setWaiting', 'resume', 'finish', 'fail', 'requestCancel', 'cancel', 'runTask'];

function tasksGroup(plugin) {
  const bound = (area, names, sessionKey, origin) => {
    const key = typeof sessionKey === 'string' ? sessionKey.trim() : '';
    if (!key) throw new Error(`tasks.${area} needs a session key`);
    const out = { sessionKey: key, requesterOrigin: origin };
    for (const name of names) {
      out[name] = (...args) => {
        const method = `host.tasks.${area}.${name}`;
        const params = { sessionKey: key, requesterOrigin: origin, args };
        return name === 'cancel' ? ask(plugin, method, params) : askSync(plugin, method, params);
      };
    }
    return out;
  };
  const area = (name, names) => ({
    bindSession: ({ sessionKey, requesterOrigin } = {}) => bound(name, names, sessionKey, requesterOrigin),
    fromToolContext: ({ sessionKey, deliveryContext } = {}) => bound(name, names, sessionKey, deliveryContext),
  });
  const managedFlows = area('managedFlows', MANAGED_METHODS);
  return { runs: area('runs', RUN_METHODS), flows: area('flows', FLOW_METHODS), managedFlows, flow: managedFlows };
}
