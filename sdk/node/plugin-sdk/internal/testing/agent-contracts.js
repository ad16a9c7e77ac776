// Messages, models, tools and configurations that tests of agent runtimes share.
import { resolveProviderIdForAuth } from '../auth/env-names.js';

export const GPT5_CONTRACT_MODEL_ID = 'gpt-5.4';
export const GPT5_PREFIXED_CONTRACT_MODEL_ID = `openai/${GPT5_CONTRACT_MODEL_ID}`;
export const NON_GPT5_CONTRACT_MODEL_ID = 'gpt-4.1';
export const OPENAI_CONTRACT_PROVIDER_ID = 'openai';
export const OPENAI_CODEX_CONTRACT_PROVIDER_ID = 'openai-codex';
export const CODEX_CONTRACT_PROVIDER_ID = 'codex';
export const NON_OPENAI_CONTRACT_PROVIDER_ID = 'openrouter';
/** What stands before a message that came while a turn was still running. */
export const QUEUED_USER_MESSAGE_MARKER = '[Queued user message that arrived while the previous turn was still active]';

const ids = (name) => ({ sessionId: `session-${name}-contract`, sessionKey: `agent:main:${name}-contract`, runId: `run-${name}-contract` });

/** A turn whose credentials come from a sign-in of another provider. */
export const AUTH_PROFILE_RUNTIME_CONTRACT = {
  ...ids('auth'), workspacePrompt: 'continue with the bound Codex profile',
  openAiProvider: OPENAI_CONTRACT_PROVIDER_ID, openAiCodexProvider: OPENAI_CODEX_CONTRACT_PROVIDER_ID, codexCliProvider: 'codex-cli', codexHarnessProvider: CODEX_CONTRACT_PROVIDER_ID, claudeCliProvider: 'claude-cli',
  openAiProfileId: 'openai:work', openAiCodexProfileId: 'openai-codex:work', anthropicProfileId: 'anthropic:work',
};
/** A turn that answers with silence. */
export const DELIVERY_NO_REPLY_RUNTIME_CONTRACT = {
  ...ids('delivery'), prompt: 'deliver the follow-up contract turn', originChannel: 'discord', originTo: 'channel:C1',
  dispatcherText: 'visible dispatcher fallback', visibleText: 'visible follow-up', silentText: 'NO_REPLY', jsonSilentText: '{"action":"NO_REPLY"}',
};
/** A turn whose first model says nothing. */
export const OUTCOME_FALLBACK_RUNTIME_CONTRACT = {
  ...ids('outcome'), primaryProvider: OPENAI_CODEX_CONTRACT_PROVIDER_ID, primaryModel: GPT5_CONTRACT_MODEL_ID, fallbackProvider: 'anthropic', fallbackModel: 'claude-haiku-3-5',
  prompt: 'finish the contract turn', reasoningOnlyText: 'I need to reason about this before answering.', planningOnlyText: 'Inspect state, then decide the next step.',
};

const part = (text) => ({ type: 'text', text });
const picture = (letter, count) => ({ type: 'image', data: letter.repeat(count), mimeType: 'image/png' });
/** @param {string} [text] */
export const assistantHistoryMessage = (text = 'ack') => ({ role: 'assistant', content: [part(text)], timestamp: 2 });
/** @param {string} prompt */
export const currentPromptHistoryMessage = (prompt) => ({ role: 'user', content: [part(prompt)], timestamp: 2 });
export const mediaOnlyHistoryMessage = () => ({ role: 'user', content: [picture('b', 2048)], timestamp: 1 });
export const structuredHistoryMessage = () => ({ role: 'user', content: [part('older structured context'), picture('c', 64)], timestamp: 1 });
/** Messages that no turn answered. @param {string} [text] */
export const textOrphanLeaf = (text = 'older active-turn message') => ({ content: text });
const linked = (url) => ({ type: 'image_url', image_url: { url } });
export const structuredOrphanLeaf = () => ({ content: [part('please inspect this'), linked('https://example.test/cat.png'), { type: 'input_audio', audio_url: 'https://example.test/cat.wav' }] });
export const inlineDataUriOrphanLeaf = () => ({ content: [part('please inspect this inline image'), linked(`data:image/png;base64,${'a'.repeat(4096)}`)] });

/** @param {string} text @param {object} [details] */
export const textToolResult = (text, details = {}) => ({ content: [part(text)], details });
/** @param {string} text @param {string} mediaUrl @param {boolean} [audioAsVoice] */
export const mediaToolResult = (text, mediaUrl, audioAsVoice = false) => textToolResult(text, { media: { mediaUrl, ...(audioAsVoice ? { audioAsVoice } : {}) } });

const schema = (properties, required, additionalProperties) => ({ type: 'object', properties, required, additionalProperties });
export const normalizedParameterFreeSchema = () => schema({}, [], false);
/** @param {string} [name] */
export const createParameterFreeTool = (name = 'ping') => ({ name, description: 'Parameter-free test tool', parameters: {} });
/** @param {string} [name] */
export const createStrictCompatibleTool = (name = 'lookup') => ({ name, description: 'Strict-compatible test tool', parameters: schema({ path: { type: 'string' } }, ['path'], false) });
/** @param {string} [name] */
export const createPermissiveTool = (name = 'schedule') => ({ name, description: 'Permissive test tool', parameters: schema({ action: { type: 'string' }, cron: { type: 'string' } }, ['action'], true) });

const model = (id, name, api, provider, baseUrl) => ({ id, name, api, provider, baseUrl, reasoning: true, input: ['text'], cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 200_000, maxTokens: 8192 });
export const createNativeOpenAIResponsesModel = () => model(GPT5_CONTRACT_MODEL_ID, 'GPT-5.4', 'openai-responses', OPENAI_CONTRACT_PROVIDER_ID, 'https://api.openai.com/v1');
export const createNativeOpenAICodexResponsesModel = () => model(GPT5_CONTRACT_MODEL_ID, 'GPT-5.4', 'openai-codex-responses', OPENAI_CODEX_CONTRACT_PROVIDER_ID, 'https://chatgpt.com/backend-api');
export const createProxyOpenAIResponsesModel = () => model('custom-gpt', 'Custom GPT', 'openai-responses', OPENAI_CONTRACT_PROVIDER_ID, 'https://proxy.example.com/v1');

/** What a run gives, with what a test wants of it. @param {any} [overrides] */
export const createContractRunResult = ({ meta, ...rest } = {}) => ({
  payloads: [], didSendViaMessagingTool: false, messagingToolSentTexts: [], messagingToolSentMediaUrls: [], messagingToolSentTargets: [], successfulCronAdds: 0, ...rest, meta: { durationMs: 1, ...meta },
});
export const createContractFallbackConfig = () => {
  const { primaryProvider, primaryModel, fallbackProvider, fallbackModel } = OUTCOME_FALLBACK_RUNTIME_CONTRACT;
  return { agents: { defaults: { model: { primary: `${primaryProvider}/${primaryModel}`, fallbacks: [`${fallbackProvider}/${fallbackModel}`] } } } };
};
/** @param {string} personality */
export const openAiPluginPersonalityConfig = (personality) => ({ plugins: { entries: { openai: { config: { personality } } } } });
/** @param {string} personality */
export const sharedGpt5PersonalityConfig = (personality) => ({ agents: { defaults: { promptOverlays: { gpt5: { personality } } } } });
/** @param {{modelId?: string, config?: object}} [params] */
export const codexPromptOverlayContext = ({ modelId, config } = {}) => ({
  provider: CODEX_CONTRACT_PROVIDER_ID, modelId: modelId ?? GPT5_CONTRACT_MODEL_ID, promptMode: 'full',
  agentDir: '/tmp/openclaw-codex-prompt-contract-agent', workspaceDir: '/tmp/openclaw-codex-prompt-contract-workspace', ...(config ? { config } : {}),
});

/** Manifests in which a name of a sign-in stands for another. */
export function createAuthAliasManifestRegistry() {
  const { openAiCodexProvider, codexCliProvider } = AUTH_PROFILE_RUNTIME_CONTRACT;
  const [none, rootDir] = [() => [], '/tmp/openclaw-auth-contract-plugin'];
  const choice = { provider: openAiCodexProvider, method: 'oauth', choiceId: openAiCodexProvider, deprecatedChoiceIds: [codexCliProvider] };
  return { plugins: [{ id: 'openai', origin: 'bundled', channels: none(), providers: none(), cliBackends: none(), skills: none(), hooks: none(), rootDir, source: 'test', manifestPath: `${rootDir}/plugin.json`, providerAuthChoices: [choice] }], diagnostics: [] };
}

/** Names in the given manifests that stand for another provider, else those that are known. */
function authProvider(provider, lookup) {
  const choices = (lookup?.manifestRegistry ?? lookup?.metadataSnapshot?.manifestRegistry)?.plugins?.flatMap(({ providerAuthChoices }) => providerAuthChoices ?? []) ?? [];
  return choices.find(({ deprecatedChoiceIds }) => deprecatedChoiceIds?.includes(provider))?.provider ?? resolveProviderIdForAuth(provider);
}
/** The sign-in that a run gets: that of its session where both belong to one provider. @param {any} params @returns {string | undefined} */
export const expectedForwardedAuthProfile = ({ provider, authProfileProvider, aliasLookupParams, sessionAuthProfileId }) =>
  authProvider(provider, aliasLookupParams) === authProvider(authProfileProvider, aliasLookupParams) ? sessionAuthProfileId : undefined;
