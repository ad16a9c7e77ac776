// A hint for packages that need a native build.

/** How to get a native dependency built. */
export function formatNativeDependencyHint({ packageName, manager = 'pnpm', rebuildCommand, approveBuildsCommand, downloadCommand }) {
  const approve = approveBuildsCommand ?? (manager === 'pnpm' ? `pnpm approve-builds (select ${packageName})` : undefined);
  const rebuild = rebuildCommand ?? { npm: `npm rebuild ${packageName}`, yarn: `yarn rebuild ${packageName}` }[manager] ?? `pnpm rebuild ${packageName}`;
  const steps = [approve, rebuild, downloadCommand].filter(Boolean);
  return `Install optional dependency ${packageName}, then run ${steps.join(', or ')}`;
}
