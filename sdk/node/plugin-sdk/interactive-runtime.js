// Types only.
export {};
export { adaptMessagePresentationForChannel, applyPresentationActionLimits, presentationPageSize } from './internal/presentation-limits.js';
export { hasInteractiveReplyBlocks, hasMessagePresentationBlocks, hasReplyChannelData, hasReplyContent, interactiveReplyToPresentation, isMessagePresentationInteractiveBlock, normalizeInteractiveReply, normalizeMessagePresentation, presentationToInteractiveControlsReply, presentationToInteractiveReply, reduceInteractiveReply, renderMessagePresentationFallbackText, resolveInteractiveTextFallback, resolveMessagePresentationActionValue, resolveMessagePresentationControlValue } from './internal/presentation.js';
