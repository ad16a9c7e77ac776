export { extractToolPayload, parseStandalonePlainTextToolCallBlocks, stripPlainTextToolCallBlocks } from './internal/tool-text.js';
