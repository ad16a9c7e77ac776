export { chunkTextForOutbound } from './internal/chunk.js';
export { stripInlineDirectiveTagsForDelivery, stripInlineDirectiveTagsForDisplay, stripInlineDirectiveTagsFromMessageForDisplay } from './internal/inline-directives.js';
export { FILE_REF_EXTENSIONS_WITH_TLD, chunkItems, isAutoLinkedFileRef, sanitizeTerminalText, stripMarkdown } from './internal/plain-text.js';
export { SYSTEM_MARK, hasSystemMark, prefixSystemMessage } from './internal/system-message.js';
export { convertMarkdownTables } from './internal/tables.js';
export { findCodeRegions, isInsideCode, sanitizeAssistantVisibleText, sanitizeAssistantVisibleTextWithOptions, sanitizeAssistantVisibleTextWithProfile, stripAssistantInternalScaffolding, stripReasoningTagsFromText, stripToolCallXmlTags } from './internal/visible-text.js';
