export { buildApprovalPendingPromptPayload, buildApprovalReactionPendingContent, buildApprovalReactionPendingContentForRequest, buildApprovalReactionPromptPayloadForRequest } from './internal/approval-prompts.js';
export { APPROVAL_REACTION_BINDINGS, buildApprovalReactionHint, createApprovalReactionTargetStore, listApprovalReactionBindings, normalizeApprovalReactionEmoji, resolveApprovalReactionDecision, resolveApprovalReactionTarget } from './internal/approval-reactions.js';
export { shouldSuppressLocalNativeExecApprovalPrompt } from './internal/approval-routes.js';
