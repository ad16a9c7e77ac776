// Commands of the plugins in this worker, as a text names them, and running one.
import { plugins } from '../../worker/state.js';
import { normalizeLowercaseStringOrEmpty } from './strings.js';

/** Arguments of a command, in characters. */
const LONGEST = 4096;
const FAILED = { text: '⚠️ Command failed. Please try again later.' };

const spelling = (name) => normalizeLowercaseStringOrEmpty(name).replace(/^\//, '');
const namesOf = ({ name, nativeNames }) => [name, ...Object.values(nativeNames ?? {})].map(spelling);
const all = () => [...plugins.values()].flatMap(({ id, name, given }) => (given ?? []).filter(({ method }) => method === 'registerCommand').map(({ args }) => ({ pluginId: id, pluginName: name, ...args[0] })));
const serves = ({ channels }, channel) => !channels?.length || !channel || channels.some((one) => spelling(one) === spelling(channel));

/** The commands of this worker. @returns {any[]} */
export const listPluginCommands = () => all().map(({ name, description, pluginId }) => ({ name, description, pluginId }));

/** The command of a text; one that takes no arguments does not fit a text with some. @param {string} commandBody @param {{channel?: string}} [options] @returns {{command: any, args?: string} | null} */
export function matchPluginCommand(commandBody, options = {}) {
  const [, typed, rest = ''] = /^\/(\S*)(?: ([\s\S]*))?$/.exec(commandBody.trim()) ?? [];
  if (!typed) return null;
  const key = spelling(typed);
  const spellings = [key, key.replaceAll('_', '-'), key.replaceAll('-', '_')];
  const command = all().find((one) => serves(one, options.channel) && namesOf(one).some((name) => spellings.includes(name)));
  const args = rest.trim();
  return command && (!args || command.acceptsArgs) ? { command, args: args || undefined } : null;
}

function missingScope({ requiredScopes = [] }, { gatewayClientScopes: scopes, senderIsOwner }) {
  const has = (scope) => scopes.includes('operator.admin') || scopes.includes(scope);
  return Array.isArray(scopes) ? requiredScopes.find((scope) => !has(scope)) : senderIsOwner === true ? undefined : requiredScopes[0];
}

/** Runs a command of this worker; what it throws is told as a failure. @param {any} params the command with the facts of its message @returns {Promise<any>} a payload */
export async function executePluginCommand(params) {
  const { command, args, channel, senderId, isAuthorizedSender, commandBody, config } = params;
  if (!serves(command, channel)) return { continueAgent: true };
  if (command.requireAuth !== false && !isAuthorizedSender) return { text: '⚠️ This command requires authorization.' };
  const scope = missingScope(command, params);
  if (scope) return { text: `⚠️ This command requires gateway scope: ${scope}.` };
  const given = args?.slice(0, LONGEST).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '');
  const { channelId, gatewayClientScopes, sessionKey, sessionId, from, to, accountId, messageThreadId, threadParentId } = params;
  const unavailable = async () => ({ status: 'error', message: 'bindings of conversations are decided where the gateway runs the command' });
  try {
    return await command.handler({
      senderId, channel, channelId, isAuthorizedSender, gatewayClientScopes, sessionKey, sessionId, args: given, commandBody, config, from, to, accountId, messageThreadId, threadParentId,
      requestConversationBinding: unavailable, detachConversationBinding: async () => ({ removed: false }), getCurrentConversationBinding: async () => null,
    });
  } catch {
    return FAILED;
  }
}

/** What is wrong with the name of a command, `null` for nothing. @param {string} name @returns {string | null} */
export function validateCommandName(name) {
  const text = normalizeLowercaseStringOrEmpty(name);
  if (!text) return 'Command name cannot be empty';
  return /^[a-z][a-z0-9_-]*$/.test(text) ? null : 'Command name must start with a letter and contain only letters, numbers, hyphens, and underscores';
}

/** The hooks of all plugins are fired by the gateway: this process has no runner of them. @returns {null} */
export const getGlobalHookRunner = () => null;
/** @returns {null} */
export const getGlobalPluginRegistry = () => null;
/** @returns {boolean} */
export const hasGlobalHooks = () => false;
