// Members of `api.runtime` that are computed in the worker. Their code is that of the SDK, imported on first use.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

function from(subpath, name) {
  return (...args) => require(`../../plugin-sdk/${subpath}.js`)[name](...args);
}

/** Functions by `<group>.<member>`. */
export const LOCAL = {
  'agent.normalizeThinkingLevel': from('internal/thinking', 'normalizeThinkingLevel'),
  'system.formatNativeDependencyHint': from('internal/native-hint', 'formatNativeDependencyHint'),
  'media.loadWebMedia': from('internal/media/load', 'loadWebMedia'),
  'media.getImageMetadata': from('internal/media/image-facts', 'getImageMetadata'),
  'media.detectMime': from('internal/mime', 'detectMime'),
  'media.mediaKindFromMime': from('internal/mime', 'mediaKindFromMime'),
  'media.isVoiceCompatibleAudio': from('internal/mime', 'isVoiceCompatibleAudio'),
  'channel.text.chunkByNewline': from('internal/chunk', 'chunkByNewline'),
  'channel.text.chunkMarkdownText': from('internal/chunk', 'chunkMarkdownText'),
  'channel.text.chunkMarkdownTextWithMode': from('internal/chunk', 'chunkMarkdownTextWithMode'),
  'channel.text.chunkText': from('internal/chunk', 'chunkText'),
  'channel.text.chunkTextWithMode': from('internal/chunk', 'chunkTextWithMode'),
  'channel.text.resolveChunkMode': from('internal/chunk', 'resolveChunkMode'),
  'channel.text.resolveTextChunkLimit': from('internal/chunk', 'resolveTextChunkLimit'),
  'channel.text.hasControlCommand': from('internal/commands', 'hasControlCommand'),
  'channel.text.resolveMarkdownTableMode': from('markdown-table-runtime', 'resolveMarkdownTableMode'),
  'channel.text.convertMarkdownTables': from('text-chunking', 'convertMarkdownTables'),
  'channel.routing.buildAgentSessionKey': from('routing', 'buildAgentSessionKey'),
  'channel.media.fetchRemoteMedia': from('internal/media/fetch', 'fetchRemoteMedia'),
  'channel.media.saveMediaBuffer': from('internal/media/store', 'saveMediaBuffer'),
  'channel.pairing.buildPairingReply': from('internal/pairing', 'buildPairingReply'),
  'channel.mentions.implicitMentionKindWhen': from('internal/mentions', 'implicitMentionKindWhen'),
  'channel.mentions.resolveInboundMentionDecision': from('channel-inbound', 'resolveInboundMentionDecision'),
  'channel.commands.resolveCommandAuthorizedFromAuthorizers': from('internal/commands', 'resolveCommandAuthorizedFromAuthorizers'),
  'channel.reply.resolveEffectiveMessagesConfig': from('internal/agent-identity', 'resolveEffectiveMessagesConfig'),
  'channel.reply.resolveHumanDelayConfig': from('internal/agent-identity', 'resolveHumanDelayConfig'),
  'channel.reply.finalizeInboundContext': from('internal/inbound-finalize', 'finalizeInboundContext'),
  'channel.reply.formatAgentEnvelope': from('internal/envelope-format', 'formatAgentEnvelope'),
  'channel.reply.formatInboundEnvelope': from('internal/envelope-format', 'formatInboundEnvelope'),
  'channel.reply.resolveEnvelopeFormatOptions': from('internal/envelope-format', 'resolveEnvelopeFormatOptions'),
  'channel.mentions.buildMentionRegexes': from('internal/mentions', 'buildMentionRegexes'),
  'channel.mentions.matchesMentionPatterns': from('internal/mentions', 'matchesMentionPatterns'),
  'channel.mentions.matchesMentionWithExplicit': from('internal/mentions', 'matchesMentionWithExplicit'),
  'channel.reactions.createAckReactionHandle': from('internal/ack-reactions', 'createAckReactionHandle'),
  'channel.reactions.shouldAckReaction': from('internal/ack-reactions', 'shouldAckReaction'),
  'channel.reactions.removeAckReactionAfterReply': from('internal/ack-reactions', 'removeAckReactionAfterReply'),
  'channel.reactions.removeAckReactionHandleAfterReply': from('internal/ack-reactions', 'removeAckReactionHandleAfterReply'),
  'channel.debounce.createInboundDebouncer': from('internal/inbound-debounce', 'createInboundDebouncer'),
  'channel.debounce.resolveInboundDebounceMs': from('internal/inbound-debounce', 'resolveInboundDebounceMs'),
  'channel.commands.isControlCommandMessage': from('internal/command-text', 'isControlCommandMessage'),
  'channel.commands.shouldComputeCommandAuthorized': from('internal/command-text', 'shouldComputeCommandAuthorized'),
  'channel.commands.shouldHandleTextCommands': from('internal/command-text', 'shouldHandleTextCommands'),
  'channel.activity.record': from('internal/inbound-facts', 'recordChannelActivity'),
  'channel.activity.get': from('internal/inbound-facts', 'getChannelActivity'),
  'channel.groups.resolveGroupPolicy': from('internal/group-policy', 'resolveChannelGroupPolicy'),
  'channel.groups.resolveRequireMention': from('internal/group-policy', 'resolveChannelGroupRequireMention'),
  'channel.runtimeContexts.register': from('internal/runtime-contexts', 'register'),
  'channel.runtimeContexts.get': from('internal/runtime-contexts', 'get'),
  'channel.runtimeContexts.watch': from('internal/runtime-contexts', 'watch'),
};
