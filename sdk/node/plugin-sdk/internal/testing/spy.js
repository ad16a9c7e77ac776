// Functions that remember their calls, in the form that vitest and jest use, without a test runner.

/**
 * @param {Function} [implementation]
 * @returns {Function} with `mock.calls`, `mock.results`, `mockClear`, `mockReset`, `mockImplementation`, `mockReturnValue`, `mockResolvedValue`, `mockRejectedValue`
 */
export function spy(implementation = () => undefined) {
  let run = implementation;
  const fn = function spied(...args) {
    fn.mock.calls.push(args);
    try {
      const value = run.apply(this, args);
      fn.mock.results.push({ type: 'return', value });
      return value;
    } catch (error) {
      fn.mock.results.push({ type: 'throw', value: error });
      throw error;
    }
  };
  const set = (next) => {
    run = next;
    return fn;
  };
  return Object.assign(fn, {
    mock: { calls: [], results: [] },
    mockClear: () => Object.assign(fn, { mock: { calls: [], results: [] } }),
    mockReset: () => set(implementation).mockClear(),
    mockImplementation: set,
    mockReturnValue: (value) => set(() => value),
    mockResolvedValue: (value) => set(async () => value),
    mockRejectedValue: (error) => set(async () => { throw error; }),
  });
}
