// `api.runtime`: what needs state asks the host, what is plain computation is done here.
import { snapshot } from './state.js';
import { finishAgent } from './runtime/agent.js';
import { capabilityGroups } from './runtime/capability.js';
import { channelGroup } from './runtime/channel.js';
import { configGroup } from './runtime/config.js';
import { listen } from './runtime/events.js';
import { ask, group } from './runtime/group.js';
import { stateGroup } from './runtime/state.js';
import { finishSystem, loggingGroup } from './runtime/system.js';
import { tasksGroup } from './runtime/tasks.js';

/** Members by group; `group` says how each kind reaches the host. */
const GROUPS = {
  agent: {
    async: ['ensureAgentWorkspace', 'runEmbeddedAgent', 'runEmbeddedPiAgent'],
    sync: ['resolveAgentDir', 'resolveAgentWorkspaceDir', 'resolveAgentIdentity', 'resolveAgentTimeoutMs'],
    local: ['normalizeThinkingLevel', 'resolveThinkingDefault', 'resolveThinkingPolicy'],
  },
  subagent: { async: ['run', 'waitForRun', 'getSessionMessages', 'getSession', 'deleteSession'] },
  nodes: { async: ['list', 'invoke'] },
  system: {
    async: ['runHeartbeatOnce', 'runCommandWithTimeout'],
    sync: ['enqueueSystemEvent', 'requestHeartbeat', 'requestHeartbeatNow'],
    local: ['formatNativeDependencyHint'],
  },
  media: {
    async: ['resizeToJpeg'],
    local: ['loadWebMedia', 'getImageMetadata', 'detectMime', 'mediaKindFromMime', 'isVoiceCompatibleAudio'],
  },
  modelAuth: { async: ['getApiKeyForModel', 'resolveApiKeyForProvider', 'getRuntimeAuthForModel'] },
};

/** Factories of the built-in memory's tools, which older releases handed out; `null` is what they gave where that memory was off. */
const OLD_TOOLS = Object.freeze({ createMemorySearchTool: () => null, createMemoryGetTool: () => null, registerMemoryCli: () => {} });

/** Builds the runtime of one plugin. */
export function createRuntime(plugin) {
  const warned = new Set();
  const runtime = { version: snapshot.hostVersion };
  Object.defineProperty(runtime, 'config', { value: configGroup(plugin, warned), enumerable: true });
  for (const [name, members] of Object.entries(GROUPS)) runtime[name] = group(plugin, name, members);
  Object.assign(runtime, capabilityGroups(plugin));
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
  runtime.channel = channelGroup(plugin);
  // Older releases had it. Not enumerable: whoever looks for features by keys takes it for one.
  Object.defineProperty(runtime, 'tools', { value: OLD_TOOLS });
  return runtime;
}
