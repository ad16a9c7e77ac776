// Builders of channel plugins and of their entries.
import { buildAccountScopedDmSecurityPolicy } from './channel-config.js';
import { createTextPairingAdapter } from './pairing.js';
import { createAttachedChannelResultAdapter } from './send-result.js';
import { buildAgentSessionKey } from './session-keys.js';
import { emptyChannelConfigSchema } from './config-schema.js';

/** Composes a chat channel from its parts; each part is an adapter or a short description of one. */
export function createChatChannelPlugin({ base, security, pairing, threading, outbound }) {
  const plugin = {
    ...base,
    conversationBindings: { supportsCurrentConversationBinding: true, ...base.conversationBindings },
  };
  if (security) plugin.security = 'dm' in security ? securityFrom(security) : security;
  if (pairing) plugin.pairing = 'text' in pairing ? createTextPairingAdapter(pairing.text) : pairing;
  if (threading) plugin.threading = threadingFrom(threading);
  if (outbound) {
    plugin.outbound =
      'attachedResults' in outbound ? { ...outbound.base, ...createAttachedChannelResultAdapter(outbound.attachedResults) } : outbound;
  }
  return plugin;
}

function securityFrom({ dm, collectWarnings, collectAuditFindings }) {
  const resolveDmPolicy = ({ cfg, accountId, account }) =>
    buildAccountScopedDmSecurityPolicy({
      ...dm,
      cfg,
      accountId,
      fallbackAccountId: dm.resolveFallbackAccountId?.(account) ?? account.accountId,
      policy: dm.resolvePolicy(account),
      allowFrom: dm.resolveAllowFrom(account) ?? [],
    });
  return {
    resolveDmPolicy,
    ...(collectWarnings ? { collectWarnings } : {}),
    ...(collectAuditFindings ? { collectAuditFindings } : {}),
  };
}

function threadingFrom(threading) {
  if ('topLevelReplyToMode' in threading) {
    return { ...threading, resolveReplyToMode: createTopLevelChannelReplyToModeResolver(threading.topLevelReplyToMode) };
  }
  if (!('scopedAccountReplyToMode' in threading)) return threading;
  return { ...threading, resolveReplyToMode: createScopedAccountReplyToModeResolver(threading.scopedAccountReplyToMode) };
}

/** An entry whose channel is registered in every mode that knows channels. */
export function defineChannelPluginEntry(params) {
  const { id, name, description, plugin, configSchema, setRuntime, registerCliMetadata, registerFull } = params;
  return {
    id,
    name,
    description,
    configSchema: typeof configSchema === 'function' ? configSchema() : (configSchema ?? emptyChannelConfigSchema()),
    register: (api) => registerByMode(api, { channel: () => plugin, setRuntime, registerCliMetadata, registerFull }),
    channelPlugin: plugin,
    ...(setRuntime ? { setChannelRuntime: setRuntime } : {}),
  };
}

/** A setup entry around a channel. */
export const defineSetupPluginEntry = (plugin) => ({ plugin });

/** What each registration mode registers of a channel entry. */
export function registerByMode(api, { channel, setRuntime, registerCliMetadata, registerFull }) {
  const mode = api.registrationMode;
  if (mode === 'cli-metadata') return void registerCliMetadata?.(api);
  if (mode === 'tool-discovery') return void registerFull?.(api);
  api.registerChannel({ plugin: channel() });
  setRuntime?.(api.runtime);
  if (mode === 'discovery' || mode === 'full') registerCliMetadata?.(api);
  if (mode === 'full') registerFull?.(api);
  return undefined;
}

/** The session that a message to a target belongs to. */
export function buildChannelOutboundSessionRoute({ cfg, agentId, channel, accountId, peer, chatType, from, to, threadId }) {
  const sessionKey = buildAgentSessionKey({
    agentId,
    channel,
    accountId,
    peer,
    dmScope: cfg.session?.dmScope ?? 'main',
    identityLinks: cfg.session?.identityLinks,
  });
  return { sessionKey, baseSessionKey: sessionKey, peer, chatType, from, to, ...(threadId === undefined ? {} : { threadId }) };
}

/** Reply mode from the section of a channel. */
export const createTopLevelChannelReplyToModeResolver = (key) => ({ cfg }) => cfg.channels?.[key]?.replyToMode ?? 'off';

/** Reply mode from a resolved account. */
export const createScopedAccountReplyToModeResolver = ({ resolveAccount, resolveReplyToMode, fallback }) => ({ cfg, accountId, chatType }) =>
  resolveReplyToMode(resolveAccount(cfg, accountId), chatType) ?? fallback ?? 'off';

/** The same reply mode everywhere. @param {string} mode @returns {() => string} */
export const createStaticReplyToModeResolver = (mode) => () => mode;
