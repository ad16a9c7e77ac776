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
  'channel.runtimeContexts.register': from('internal/runtime-contexts', 'register'),
  'channel.runtimeContexts.get': from('internal/runtime-contexts', 'get'),
  'channel.runtimeContexts.watch': from('internal/runtime-contexts', 'watch'),
};
