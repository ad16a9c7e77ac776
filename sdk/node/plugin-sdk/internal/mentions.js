// Whether a message is meant for the bot.

export const implicitMentionKindWhen = (kind, enabled) => (enabled ? [kind] : []);

/** Decides from facts and policy; both may also be given flat. */
export function resolveInboundMentionDecision(params) {
  const facts = params.facts ?? params;
  const policy = params.policy ?? params;
  const mentionedAtAll = facts.wasMentioned || (facts.hasAnyMention ?? false);
  const shouldBypassMention =
    policy.isGroup && policy.requireMention && !mentionedAtAll && policy.allowTextCommands && policy.commandAuthorized && policy.hasControlCommand;
  const allowed = policy.allowedImplicitMentionKinds && new Set(policy.allowedImplicitMentionKinds);
  const matchedImplicitMentionKinds = [...new Set(facts.implicitMentionKinds ?? [])].filter((kind) => !allowed || allowed.has(kind));
  const implicitMention = matchedImplicitMentionKinds.length > 0;
  const effectiveWasMentioned = facts.wasMentioned || implicitMention || shouldBypassMention;
  return {
    implicitMention,
    matchedImplicitMentionKinds,
    effectiveWasMentioned,
    shouldBypassMention,
    shouldSkip: policy.requireMention && facts.canDetectMention && !effectiveWasMentioned,
  };
}
