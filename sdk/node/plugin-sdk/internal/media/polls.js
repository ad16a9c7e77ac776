// Polls as channels take them.

const whole = (value) => (typeof value === 'number' && Number.isFinite(value) ? Math.floor(value) : undefined);

/**
 * A poll in canonical form; what cannot be one is an error.
 * @param {{ question: string, options?: string[], maxSelections?: number, durationSeconds?: number, durationHours?: number }} input
 * @param {{ maxOptions?: number }} [limits]
 */
export function normalizePollInput(input, { maxOptions } = {}) {
  const fail = (message) => {
    throw new Error(message);
  };
  const question = input.question.trim() || fail('Poll question is required');
  const options = (input.options ?? []).map((option) => option.trim()).filter(Boolean);
  if (options.length < 2) fail('Poll requires at least 2 options');
  if (maxOptions !== undefined && options.length > maxOptions) fail(`Poll supports at most ${maxOptions} options`);
  const maxSelections = whole(input.maxSelections) ?? 1;
  if (maxSelections < 1) fail('maxSelections must be at least 1');
  if (maxSelections > options.length) fail('maxSelections cannot exceed option count');
  const [durationSeconds, durationHours] = [whole(input.durationSeconds), whole(input.durationHours)];
  if (durationSeconds < 1) fail('durationSeconds must be at least 1');
  if (durationHours < 1) fail('durationHours must be at least 1');
  if (durationSeconds !== undefined && durationHours !== undefined) fail('durationSeconds and durationHours are mutually exclusive');
  return { question, options, maxSelections, durationSeconds, durationHours };
}

/** Hours between one and the most that a channel allows. @param {number | undefined} value @param {{ defaultHours: number, maxHours: number }} limits @returns {number} */
export const normalizePollDurationHours = (value, { defaultHours, maxHours }) => Math.min(Math.max(whole(value) ?? defaultHours, 1), maxHours);

/** How many answers one person may give. @param {number} optionCount @param {boolean} allowMultiselect @returns {number} */
export const resolvePollMaxSelections = (optionCount, allowMultiselect) => (allowMultiselect ? Math.max(2, optionCount) : 1);
