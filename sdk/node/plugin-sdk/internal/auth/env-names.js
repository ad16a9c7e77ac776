// Which environment variables hold the credentials of which provider.
import { plugins } from '../../../worker/state.js';
import { normalizeProviderId } from '../provider/id.js';

/** `provider NAME...`, one a line; the plugin's own manifest adds its own. */
const TABLE = `alibaba MODELSTUDIO_API_KEY DASHSCOPE_API_KEY QWEN_API_KEY
anthropic ANTHROPIC_OAUTH_TOKEN ANTHROPIC_API_KEY
arcee ARCEEAI_API_KEY
azure AZURE_SPEECH_KEY AZURE_SPEECH_API_KEY SPEECH_KEY AZURE_SPEECH_REGION SPEECH_REGION
azure-speech AZURE_SPEECH_KEY AZURE_SPEECH_API_KEY SPEECH_KEY AZURE_SPEECH_REGION SPEECH_REGION
byteplus BYTEPLUS_API_KEY
cerebras CEREBRAS_API_KEY
chutes CHUTES_API_KEY CHUTES_OAUTH_TOKEN
cloudflare-ai-gateway CLOUDFLARE_AI_GATEWAY_API_KEY
comfy COMFY_API_KEY COMFY_CLOUD_API_KEY
deepgram DEEPGRAM_API_KEY
deepinfra DEEPINFRA_API_KEY
deepseek DEEPSEEK_API_KEY
elevenlabs ELEVENLABS_API_KEY XI_API_KEY
exa EXA_API_KEY
fal FAL_KEY FAL_API_KEY
firecrawl FIRECRAWL_API_KEY
fireworks FIREWORKS_API_KEY
github-copilot COPILOT_GITHUB_TOKEN GH_TOKEN GITHUB_TOKEN
google GEMINI_API_KEY GOOGLE_API_KEY
google-vertex GOOGLE_CLOUD_API_KEY
gradium GRADIUM_API_KEY
groq GROQ_API_KEY
huggingface HUGGINGFACE_HUB_TOKEN HF_TOKEN
inworld INWORLD_API_KEY
kilocode KILOCODE_API_KEY
kimi KIMI_API_KEY KIMICODE_API_KEY
kimi-coding KIMI_API_KEY KIMICODE_API_KEY
litellm LITELLM_API_KEY
lmstudio LM_API_TOKEN
microsoft-foundry AZURE_OPENAI_API_KEY
minimax MINIMAX_CODE_PLAN_KEY MINIMAX_CODING_API_KEY MINIMAX_API_KEY
minimax-portal MINIMAX_OAUTH_TOKEN MINIMAX_API_KEY
mistral MISTRAL_API_KEY
moonshot MOONSHOT_API_KEY KIMI_API_KEY
nvidia NVIDIA_API_KEY
ollama OLLAMA_API_KEY
openai OPENAI_API_KEY
opencode OPENCODE_API_KEY OPENCODE_ZEN_API_KEY
opencode-go OPENCODE_API_KEY OPENCODE_ZEN_API_KEY
openrouter OPENROUTER_API_KEY
perplexity PERPLEXITY_API_KEY OPENROUTER_API_KEY
qianfan QIANFAN_API_KEY
qwen QWEN_API_KEY MODELSTUDIO_API_KEY DASHSCOPE_API_KEY
runway RUNWAYML_API_SECRET RUNWAY_API_KEY
senseaudio SENSEAUDIO_API_KEY
sglang SGLANG_API_KEY
stepfun STEPFUN_API_KEY
stepfun-plan STEPFUN_API_KEY
synthetic SYNTHETIC_API_KEY
tavily TAVILY_API_KEY
tencent-tokenhub TOKENHUB_API_KEY
together TOGETHER_API_KEY
venice VENICE_API_KEY
vercel-ai-gateway AI_GATEWAY_API_KEY
vllm VLLM_API_KEY
volcengine VOLCANO_ENGINE_API_KEY
volcengine-tts VOLCENGINE_TTS_API_KEY BYTEPLUS_SEED_SPEECH_API_KEY VOLCENGINE_TTS_APPID VOLCENGINE_TTS_TOKEN
voyage VOYAGE_API_KEY
vydra VYDRA_API_KEY
xai XAI_API_KEY
xiaomi XIAOMI_API_KEY
zai ZAI_API_KEY Z_AI_API_KEY
anthropic-openai ANTHROPIC_API_KEY
qwen-dashscope DASHSCOPE_API_KEY`;
/** Providers that use the credentials of another one. */
const ALIASES = {
  'byteplus-plan': 'byteplus', 'claude-cli': 'anthropic', 'minimax-api': 'minimax', 'minimax-api-key-cn': 'minimax', 'minimax-api-lightning': 'minimax', 'minimax-cloud': 'minimax',
  'modelstudio-api-key': 'qwen', 'modelstudio-api-key-cn': 'qwen', 'modelstudio-standard-api-key': 'qwen', 'modelstudio-standard-api-key-cn': 'qwen', 'volcengine-plan': 'volcengine',
};

let table;
function known() {
  if (table) return table;
  table = Object.fromEntries(TABLE.split('\n').map((row) => row.split(' ')).map(([id, ...names]) => [id, names]));
  for (const [alias, target] of Object.entries(ALIASES)) table[alias] = table[target];
  return table;
}

/** Names by provider that the loaded plugins declare. */
function declared() {
  const rows = {};
  for (const { params } of plugins.values()) {
    const manifest = params?.manifest ?? {};
    const own = [...Object.entries(manifest.providerAuthEnvVars ?? {}), ...(manifest.setup?.providers ?? []).map((row) => [row.id, row.envVars ?? []])];
    for (const [id, names] of own) rows[id] = [...new Set([...(rows[id] ?? []), ...names])];
  }
  return rows;
}

/** The provider whose credentials another one uses. @param {string} provider @returns {string} */
export const resolveProviderIdForAuth = (provider) => ALIASES[normalizeProviderId(provider)] ?? normalizeProviderId(provider);

/** Names by provider, in the order in which they are looked up. @returns {Record<string, string[]>} */
export const resolveProviderAuthEnvVarCandidates = () => structuredClone({ ...declared(), ...known() });

/** The names of one provider as setup shows them. @param {string} providerId @returns {string[]} */
export function getProviderEnvVars(providerId) {
  if (providerId === 'minimax' || providerId === 'minimax-cn') return ['MINIMAX_API_KEY'];
  const names = { ...declared(), ...known() };
  return Object.hasOwn(names, providerId) ? [...names[providerId]] : [];
}

/** All names. @returns {string[]} */
export const listKnownProviderAuthEnvVarNames = () => [...new Set(Object.values(resolveProviderAuthEnvVarCandidates()).flat())];

/** An environment without some names, whatever their case. @param {NodeJS.ProcessEnv} env @param {Iterable<string>} keys @returns {NodeJS.ProcessEnv} */
export function omitEnvKeysCaseInsensitive(env, keys) {
  const denied = new Set([...keys].map((key) => key.trim().toUpperCase()));
  return Object.fromEntries(Object.entries(env).filter(([key]) => !denied.has(key.toUpperCase())));
}

/** The credential of a provider in the environment. @param {string} provider @param {NodeJS.ProcessEnv} [env] @returns {{ apiKey: string, source: string } | null} */
export function resolveEnvApiKey(provider, env = process.env) {
  const names = resolveProviderAuthEnvVarCandidates()[resolveProviderIdForAuth(provider)] ?? [];
  const found = names.find((name) => env[name]?.trim());
  return found ? { apiKey: env[found].replace(/[\r\n\u2028\u2029]+/g, '').trim(), source: `env: ${found}` } : null;
}
