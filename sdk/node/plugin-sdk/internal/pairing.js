// Pairing of unknown senders.
import { normalizeAccountId } from './accounts.js';
import { formatCliCommand } from './cli-name.js';

/** What a sender is told once the owner has approved. */
export const PAIRING_APPROVED_MESSAGE = '✅ OpenClaw access approved. Send a message to start chatting.';

/** What an unknown sender is told. */
export function buildPairingReply({ channel, idLine, code }) {
  const approve = formatCliCommand(`openclaw pairing approve ${channel} ${code}`);
  return ['OpenClaw: access not configured.', '', idLine, 'Pairing code:', '```', code, '```', '', 'Ask the bot owner to approve with:', approve, '```', approve, '```'].join('\n');
}

/** Creates a pairing request and tells the sender about it, once. */
export async function issuePairingChallenge(params) {
  const { code, created } = await params.upsertPairingRequest({ id: params.senderId, meta: params.meta });
  if (!created) return { created: false };
  params.onCreated?.({ code });
  const { senderIdLine } = params;
  const text = params.buildReplyText?.({ code, senderIdLine }) ?? buildPairingReply({ channel: params.channel, idLine: senderIdLine, code });
  try {
    await params.sendPairingReply(text);
  } catch (error) {
    params.onReplyError?.(error);
  }
  return { created: true, code };
}

export const createChannelPairingChallengeIssuer =
  ({ channel, upsertPairingRequest }) =>
  (challenge) =>
    issuePairingChallenge({ channel, upsertPairingRequest, ...challenge });

/** Pairing of one account of a channel, through the runtime's store. */
export function createChannelPairingController({ core, channel, accountId: rawAccountId }) {
  const accountId = normalizeAccountId(rawAccountId);
  const { pairing } = core.channel;
  const upsertPairingRequest = (input) => pairing.upsertPairingRequest({ channel, accountId, ...input });
  return {
    accountId,
    readAllowFromStore: () => pairing.readAllowFromStore({ channel, accountId }),
    readStoreForDmPolicy: (provider, other) => pairing.readAllowFromStore({ channel: provider, accountId: normalizeAccountId(other) }),
    upsertPairingRequest,
    issueChallenge: createChannelPairingChallengeIssuer({ channel, upsertPairingRequest }),
  };
}

/** Removes a prefix from allow-list entries. */
export const createPairingPrefixStripper =
  (prefix, map = (entry) => entry) =>
  (entry) =>
    map(entry.trim().replace(prefix, '').trim());

/** A pairing adapter that notifies with a fixed text. */
export const createTextPairingAdapter = ({ idLabel, message, normalizeAllowEntry, notify }) => ({
  idLabel,
  normalizeAllowEntry,
  notifyApproval: async (ctx) => void (await notify({ ...ctx, message })),
});

/** A pairing notifier that only logs. */
export const createLoggedPairingApprovalNotifier =
  (format, log = console.log) =>
  async (ctx) =>
    void log(typeof format === 'function' ? format(ctx) : format);
