// The standard scenarios that tests of a channel against its real service run, and which of them a suite covers.
const IDS = ['canary', 'mention-gating', 'allowlist-block', 'top-level-reply-shape', 'quote-reply', 'restart-resume', 'thread-follow-up', 'thread-isolation', 'reaction-observation', 'help-command'];

/** What every channel must show. */
export const LIVE_TRANSPORT_BASELINE_STANDARD_SCENARIO_IDS = ['canary', 'mention-gating', 'allowlist-block', 'top-level-reply-shape', 'restart-resume'];

function checked(ids) {
  const unknown = ids.find((id) => !IDS.includes(id));
  if (unknown !== undefined) throw new Error(`unknown live transport standard scenario id: ${unknown}`);
  return ids;
}

/** What a suite covers. @param {{alwaysOnStandardScenarioIds?: readonly string[], scenarios: readonly {standardId?: string}[]}} params @returns {string[]} */
export const collectLiveTransportStandardScenarioCoverage = ({ alwaysOnStandardScenarioIds = [], scenarios }) =>
  [...new Set(checked([...alwaysOnStandardScenarioIds, ...scenarios.map(({ standardId }) => standardId).filter(Boolean)]))];

/** What it does not. @param {{coveredStandardScenarioIds: readonly string[], expectedStandardScenarioIds: readonly string[]}} params @returns {string[]} */
export function findMissingLiveTransportStandardScenarios({ coveredStandardScenarioIds, expectedStandardScenarioIds }) {
  checked(coveredStandardScenarioIds);
  return checked(expectedStandardScenarioIds).filter((id) => !coveredStandardScenarioIds.includes(id));
}

/** The scenarios with the ids, or all. @template {{id: string}} T @param {{ids?: readonly string[], laneLabel: string, scenarios: readonly T[]}} params @returns {T[]} */
export function selectLiveTransportScenarios({ ids, laneLabel, scenarios }) {
  if (!ids?.length) return [...scenarios];
  const missing = [...new Set(ids)].filter((id) => !scenarios.some((scenario) => scenario.id === id));
  if (missing.length > 0) throw new Error(`unknown ${laneLabel} QA scenario id(s): ${missing.join(', ')}`);
  return scenarios.filter((scenario) => ids.includes(scenario.id));
}
