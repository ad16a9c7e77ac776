// Authorisation of commands, and a cheap test whether a text is one.

/** Whether any configured authoriser allows; without access groups by mode. */
export function resolveCommandAuthorizedFromAuthorizers({ useAccessGroups, authorizers, modeWhenAccessGroupsOff: mode = 'allow' }) {
  const allowed = authorizers.some((entry) => entry.configured && entry.allowed);
  if (useAccessGroups) return allowed;
  if (mode === 'allow' || mode === 'deny') return mode === 'allow';
  return allowed || !authorizers.some((entry) => entry.configured);
}

/** Whether a text starts with a slash command. */
export const hasControlCommand = (text) => /^\/[a-z][\w-]*(?:[\s:@]|$)/i.test(String(text ?? '').trim());
