// Names that releases before 2026.5 had in the root of the SDK, and that plugins of that time import.
import { normalizeAccountId } from './accounts.js';
import { buildOpenGroupPolicyWarning } from './group-policy.js';
import { createChannelPairingController } from './pairing.js';
import { coerceSecretRef } from './secrets.js';
import { promptAccountId } from './setup-prompts.js';
import { splitSetupEntries } from './setup.js';

/** Entries of a setup answer; today `splitSetupEntries`. */
export const splitOnboardingEntries = splitSetupEntries;

/**
 * The pairing store of one account; today part of `createChannelPairingController`.
 * @param {{core: object, channel: string, accountId: string}} params
 */
export function createScopedPairingAccess(params) {
  const { issueChallenge, ...access } = createChannelPairingController(params);
  return access;
}

/** The account that setup is about: the one that was named, else the one that the operator chooses, else the default. */
export async function resolveAccountIdForConfigure({ accountOverride, shouldPromptAccountIds, prompter, ...rest }) {
  const named = accountOverride?.trim();
  if (named) return normalizeAccountId(named);
  if (!shouldPromptAccountIds) return rest.defaultAccountId;
  return promptAccountId({ ...rest, prompter, currentId: rest.defaultAccountId });
}

/** Where the settings of an account stand in the config, with a dot behind. */
export function resolveChannelAccountConfigBasePath({ cfg, channelKey, accountId }) {
  const own = cfg.channels?.[channelKey]?.accounts?.[accountId] ? `accounts.${accountId}.` : '';
  return `channels.${channelKey}.${own}`;
}

/** The policy for groups of a channel, and whether a missing channel decided it. */
export function resolveRuntimeGroupPolicy(params) {
  const { providerConfigPresent, groupPolicy, defaultGroupPolicy } = params;
  if (!providerConfigPresent) {
    return { groupPolicy: groupPolicy ?? params.missingProviderFallbackPolicy ?? 'allowlist', providerMissingFallbackApplied: groupPolicy === undefined };
  }
  return { groupPolicy: groupPolicy ?? defaultGroupPolicy ?? params.configuredFallbackPolicy ?? 'open', providerMissingFallbackApplied: false };
}

/** A warning about groups that are open although no route is listed. */
export function buildOpenGroupPolicyNoRouteAllowlistWarning(params) {
  const mention = params.mentionGated === false ? '' : ' (mention-gated)';
  return buildOpenGroupPolicyWarning({
    surface: params.surface,
    openBehavior: `with no ${params.routeAllowlistPath} allowlist; any ${params.routeScope} can add + ping${mention}`,
    remediation: `Set ${params.groupPolicyPath}="allowlist" + ${params.groupAllowFromPath} or configure ${params.routeAllowlistPath}`,
  });
}

/** Fails when a secret is still a reference. */
export function assertSecretInputResolved({ value, refValue, defaults, path }) {
  const ref = coerceSecretRef(refValue, defaults) ?? coerceSecretRef(value, defaults);
  if (!ref) return;
  throw new Error(`${path}: unresolved SecretRef "${ref.source}:${ref.provider}:${ref.id}"; it is resolved where the running gateway has loaded its secrets`);
}

const isRefusal = (response) => response.status === 401 || response.status === 403;

/**
 * Fetches without credentials, and with a token of each scope in turn when that is refused and the address may have one.
 * Gives the first answer when no token helps.
 */
export async function fetchWithBearerAuthScopeFallback(params) {
  const { url, scopes, tokenProvider, requestInit, fetchFn = fetch, shouldRetry = isRefusal } = params;
  if (!URL.canParse(url)) throw new Error(`Invalid URL: ${url}`);
  if (params.requireHttps === true && new URL(url).protocol !== 'https:') throw new Error(`URL must use HTTPS: ${url}`);
  const first = await fetchFn(url, { ...requestInit });
  if (first.ok || !tokenProvider || !shouldRetry(first) || params.shouldAttachAuth?.(url) === false) return first;
  for (const scope of scopes) {
    try {
      const headers = new Headers(requestInit?.headers);
      headers.set('Authorization', `Bearer ${await tokenProvider.getAccessToken(scope)}`);
      const answer = await fetchFn(url, { ...requestInit, headers });
      if (answer.ok) return answer;
    } catch {
      // The next scope may be allowed.
    }
  }
  return first;
}

/** Whether a text is the address of a group in WhatsApp. */
export const isWhatsAppGroupJid = (value) => /^\d+(?:-\d+)*@g\.us$/i.test(value.replace(/^(?:whatsapp:\s*)+/i, '').trim());

/** What a message may be asked to do. */
export const CHANNEL_MESSAGE_ACTION_NAMES = [
  'send', 'broadcast', 'poll', 'poll-vote', 'react', 'reactions', 'read', 'edit', 'unsend', 'reply', 'sendWithEffect', 'renameGroup',
  'setGroupIcon', 'addParticipant', 'removeParticipant', 'leaveGroup', 'sendAttachment', 'delete', 'pin', 'unpin', 'list-pins',
  'permissions', 'thread-create', 'thread-list', 'thread-reply', 'search', 'sticker', 'sticker-search', 'member-info', 'role-info',
  'emoji-list', 'emoji-upload', 'sticker-upload', 'role-add', 'role-remove', 'channel-info', 'channel-list', 'channel-create',
  'channel-edit', 'channel-delete', 'channel-move', 'category-create', 'category-edit', 'category-delete', 'topic-create', 'voice-status',
  'event-list', 'event-create', 'timeout', 'kick', 'ban', 'set-presence', 'download-file',
];

/** Codes of failures of agent backends. */
export const ACP_ERROR_CODES = [
  'ACP_BACKEND_MISSING', 'ACP_BACKEND_UNAVAILABLE', 'ACP_BACKEND_UNSUPPORTED_CONTROL', 'ACP_DISPATCH_DISABLED', 'ACP_INVALID_RUNTIME_OPTION',
  'ACP_SESSION_INIT_FAILED', 'ACP_TURN_FAILED',
];
