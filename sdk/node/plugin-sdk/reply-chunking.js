export { chunkMarkdownTextWithMode, chunkText, chunkTextWithMode, resolveChunkMode, resolveTextChunkLimit } from './internal/chunk.js';
export { SILENT_REPLY_TOKEN, isSilentReplyPayloadText, isSilentReplyText } from './internal/silent-reply.js';
