export { resolveChannelStreamingBlockEnabled } from './internal/typing.js';
