// `api.runtime.channel`.
import { group } from './group.js';

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
  media: { local: ['fetchRemoteMedia', 'saveMediaBuffer'] },
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

/** Helpers for channel plugins. */
export function channelGroup(plugin) {
  return Object.fromEntries(Object.entries(CHANNEL).map(([name, members]) => [name, group(plugin, `channel.${name}`, members)]));
}
