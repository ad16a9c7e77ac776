// What requests in Anthropic's form carry: cache marks, service tier, tools in another form.
import { isRecord, normalizeOptionalString } from '../strings.js';
import { resolveProviderEndpoint, resolveProviderRequestCapabilities } from './endpoints.js';
import { createPayloadPatchStreamWrapper } from './payloads.js';

/** Parts what stays from what changes in a system prompt. */
const BOUNDARY = '\n<!-- OPENCLAW_CACHE_BOUNDARY -->\n';

/** A system prompt without the boundary. @param {string} text @returns {string} */
export const stripSystemPromptCacheBoundary = (text) => text.replaceAll(BOUNDARY, '\n');

function cacheMark(baseUrl, retention) {
  const wanted = retention ?? (process.env.PI_CACHE_RETENTION === 'long' ? 'long' : 'short');
  if (wanted === 'none') return undefined;
  const host = typeof baseUrl === 'string' && URL.canParse(baseUrl) ? new URL(baseUrl).hostname : '';
  const keepsLong = host === 'api.anthropic.com' || resolveProviderEndpoint(baseUrl).endpointClass === 'google-vertex';
  return { type: 'ephemeral', ...(wanted === 'long' && (retention === 'long' || keepsLong) ? { ttl: '1h' } : {}) };
}

/** What may be sent to a service. @param {object} input @returns {{ allowsServiceTier: boolean, cacheControl?: object, serviceTier?: string }} */
export const resolveAnthropicPayloadPolicy = (input) => ({
  allowsServiceTier: resolveProviderRequestCapabilities(input).allowsAnthropicServiceTier,
  cacheControl: input.enableCacheControl === true ? cacheMark(input.baseUrl, input.cacheRetention) : undefined,
  serviceTier: input.serviceTier,
});

function markSystem(blocks, mark) {
  const split = blocks.flatMap((block) => {
    const isText = block && typeof block === 'object' && block.type === 'text' && typeof block.text === 'string';
    const at = isText ? block.text.indexOf(BOUNDARY) : -1;
    if (!isText) return [block];
    if (!mark) return [Object.assign(block, { text: stripSystemPromptCacheBoundary(block.text) })];
    if (at < 0) return [Object.assign(block, { cache_control: block.cache_control ?? mark })];
    const { cache_control: own, ...rest } = block;
    const [stable, changing] = [block.text.slice(0, at).trimEnd(), block.text.slice(at + BOUNDARY.length).trimStart()];
    return [...(stable ? [{ ...rest, text: stable, cache_control: own ?? mark }] : []), ...(changing ? [{ ...rest, text: changing }] : [])];
  });
  blocks.splice(0, blocks.length, ...split);
}

function markLastMessage(message, mark) {
  if (message?.role !== 'user') return;
  const block = Array.isArray(message.content) ? message.content.at(-1) : undefined;
  if (['text', 'image', 'tool_result'].includes(block?.type)) block.cache_control = mark;
  if (typeof message.content === 'string') message.content = [{ type: 'text', text: message.content, cache_control: mark }];
}

/** Applies a policy to a request, in place. @param {object} payload @param {object} policy of `resolveAnthropicPayloadPolicy` */
export function applyAnthropicPayloadPolicyToParams(payload, policy) {
  if (policy.allowsServiceTier && policy.serviceTier !== undefined) payload.service_tier ??= policy.serviceTier;
  if (Array.isArray(payload.system)) markSystem(payload.system, policy.cacheControl);
  if (policy.cacheControl && Array.isArray(payload.messages)) markLastMessage(payload.messages.at(-1), policy.cacheControl);
}

function functionTool(tool) {
  if (!isRecord(tool)) return [];
  const name = normalizeOptionalString(tool.name);
  if (!name || isRecord(tool.function)) return [tool];
  const schema = [tool.input_schema, tool.parameters].find((value) => value && typeof value === 'object') ?? { type: 'object', properties: {} };
  const description = typeof tool.description === 'string' && tool.description.trim() ? { description: tool.description } : {};
  return [{ type: 'function', function: { name, parameters: schema, ...description, ...(typeof tool.strict === 'boolean' ? { strict: tool.strict } : {}) } }];
}

function textChoice(choice) {
  if (!isRecord(choice)) return choice;
  if (choice.type === 'tool' && typeof choice.name === 'string' && choice.name.trim()) return { type: 'function', function: { name: choice.name.trim() } };
  return { auto: 'auto', none: 'none', required: 'required', any: 'required' }[choice.type] ?? choice;
}

/** Writes tools as OpenAI does where a service wants it. @param {Function | undefined} base @param {{ toolSchemaMode?: string, toolChoiceMode?: string }} [options] */
export function createAnthropicToolPayloadCompatibilityWrapper(base, options) {
  const flagged = (model) => isRecord(model.compat) && model.compat.requiresOpenAiAnthropicToolPayload === true;
  return createPayloadPatchStreamWrapper(base, ({ payload, model }) => {
    if (model.api !== 'anthropic-messages') return;
    const all = flagged(model);
    if (Array.isArray(payload.tools) && (all || options?.toolSchemaMode === 'openai-functions')) payload.tools = payload.tools.flatMap(functionTool);
    if (all || options?.toolChoiceMode === 'openai-string-modes') payload.tool_choice = textChoice(payload.tool_choice);
  });
}
/** Both forms. @param {Function | undefined} base */
export const createOpenAIAnthropicToolPayloadCompatibilityWrapper = (base) =>
  createAnthropicToolPayloadCompatibilityWrapper(base, { toolSchemaMode: 'openai-functions', toolChoiceMode: 'openai-string-modes' });
