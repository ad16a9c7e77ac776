export { escapeRegExp } from './internal/strings.js';
export { abortStartedAccount, createStartAccountContext, expectDirectoryIds, expectPendingUntilAbort, startAccountAndTrackLifecycle } from './internal/testing/channels.js';
export { stripAnsi } from './internal/testing/texts.js';
export { deliverOutboundPayloads } from './internal/durable-send.js';
