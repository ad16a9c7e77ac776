// Which tools a run may use, by what they need.
import { textResult } from './actions.js';
import { isRecord } from './strings.js';

/** A wrong list of tools. */
export class ToolPlanContractError extends Error {
  /** @param {{code: string, toolName: string, message: string}} params */
  constructor({ code, toolName, message }) {
    super(message);
    Object.assign(this, { name: 'ToolPlanContractError', code, toolName });
  }
}
/** @template T @param {T} descriptor @returns {T} */
export const defineToolDescriptor = (descriptor) => descriptor;
/** @template T @param {T} descriptors @returns {T} */
export const defineToolDescriptors = (descriptors) => descriptors;

function configured({ path, check = 'exists', ...signal }, context) {
  const value = path.reduce((at, key) => (isRecord(at) ? at[key] : undefined), context.config);
  if (value === undefined || value === null) return false;
  if (check === 'available') return context.isConfigValueAvailable?.({ value, path, signal: { path, check, ...signal } }) === true;
  if (check === 'exists') return true;
  if (typeof value === 'string') return value.trim() !== '';
  return typeof value === 'object' ? Object.keys(value).length > 0 : true;
}
/** By kind of need: what is wrong, or nothing. */
const NEEDS = {
  always: () => undefined,
  auth: (need, { authProviderIds }) => !authProviderIds?.has(need.providerId) && ['auth-missing', `Missing auth provider: ${need.providerId}`],
  config: (need, context) => !configured(need, context) && ['config-missing', `Missing config path: ${need.path.join('.')}`],
  env: (need, { env }) => !env?.[need.name]?.trim() && ['env-missing', `Missing environment value: ${need.name}`],
  'plugin-enabled': (need, { enabledPluginIds }) => !enabledPluginIds?.has(need.pluginId) && ['plugin-disabled', `Plugin is not enabled: ${need.pluginId}`],
  context(need, { values }) {
    const value = values?.[need.key];
    if (!('equals' in need)) return value === undefined && ['context-mismatch', `Missing context value: ${need.key}`];
    return value !== need.equals && ['context-mismatch', `Context value did not match: ${need.key}`];
  },
};
const unsupported = (message) => [{ reason: 'unsupported-signal', message }];
function problems(expression, context) {
  if ('kind' in expression) {
    const found = Object.hasOwn(NEEDS, expression.kind) ? NEEDS[expression.kind](expression, context) : ['unsupported-signal', 'Unsupported availability signal'];
    return found ? [{ reason: found[0], signal: expression, message: found[1] }] : [];
  }
  const group = ['allOf', 'anyOf'].find((key) => key in expression);
  if (!group) return unsupported('Unsupported availability expression');
  if (expression[group].length === 0) return unsupported(`Empty availability ${group} group`);
  const all = expression[group].map((entry) => problems(entry, context));
  return group === 'anyOf' && all.some((entries) => entries.length === 0) ? [] : all.flat();
}
/** Why a tool cannot be used; nothing when it can. @param {{descriptor: any, context?: any}} params @returns {any[]} */
export const evaluateToolAvailability = ({ descriptor, context = {} }) => problems(descriptor.availability ?? { kind: 'always' }, context);

const order = (a, b) => String(a.sortKey ?? a.name).localeCompare(String(b.sortKey ?? b.name)) || a.name.localeCompare(b.name);
/** Tools that can be used, and those that cannot with the reasons. @param {{descriptors: any[], availability?: any}} options @returns {{visible: any[], hidden: any[]}} */
export function buildToolPlan({ descriptors, availability }) {
  const [visible, hidden, names] = [[], [], new Set()];
  for (const { name } of descriptors) {
    if (names.has(name)) throw new ToolPlanContractError({ code: 'duplicate-tool-name', toolName: name, message: `Duplicate tool descriptor name: ${name}` });
    names.add(name);
  }
  for (const descriptor of [...descriptors].sort(order)) {
    const diagnostics = evaluateToolAvailability({ descriptor, context: availability });
    if (diagnostics.length > 0) hidden.push({ descriptor, diagnostics });
    else if (descriptor.executor) visible.push({ descriptor, executor: descriptor.executor });
    else throw new ToolPlanContractError({ code: 'missing-executor', toolName: descriptor.name, message: `Visible tool descriptor has no executor ref: ${descriptor.name}` });
  }
  return { visible, hidden };
}
/** @param {{descriptor: any}} entry @returns {{name: string, description: string, inputSchema: any}} */
export const toToolProtocolDescriptor = ({ descriptor: { name, description, inputSchema } }) => ({ name, description, inputSchema });
/** @param {any[]} entries */
export const toToolProtocolDescriptors = (entries) => entries.map(toToolProtocolDescriptor);
const PARTS = { core: ['executorId'], plugin: ['pluginId', 'toolName'], channel: ['channelId', 'actionId'], mcp: ['serverId', 'toolName'] };
/** @param {any} ref @returns {string} */
export const formatToolExecutorRef = (ref) => (Object.hasOwn(PARTS, ref.kind) ? [ref.kind, ...PARTS[ref.kind].map((part) => ref[part])].join(':') : ref);

export const OWNER_ONLY_TOOL_ERROR = 'Tool restricted to owner senders.';
/** A tool of the owner alone, as others get it. @param {any} tool @param {boolean} senderIsOwner @returns {any} */
export function wrapOwnerOnlyToolExecution(tool, senderIsOwner) {
  if (tool.ownerOnly !== true || senderIsOwner || !tool.execute) return tool;
  return { ...tool, execute: async () => { throw new Error(OWNER_ONLY_TOOL_ERROR); } };
}
/** A value as a model reads it. @param {unknown} payload @returns {string} */
export function stringifyToolPayload(payload) {
  if (typeof payload === 'string') return payload;
  try {
    return JSON.stringify(payload, null, 2) ?? String(payload);
  } catch {
    return String(payload);
  }
}
/** @param {unknown} payload */
export const payloadTextResult = (payload) => textResult(stringifyToolPayload(payload), payload);
/** @param {string} text @param {unknown} details */
export const failedTextResult = (text, details) => textResult(text, details);
