export { DEFAULT_PAIR_LOOP_GUARD_CONFIG, DEFAULT_PAIR_LOOP_GUARD_SETTINGS, createPairLoopGuard, mergePairLoopGuardConfig, resolvePairLoopGuardSettings } from './internal/pair-loop-guard.js';
