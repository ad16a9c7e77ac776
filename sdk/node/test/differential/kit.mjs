// Inputs of the differential test: generated, and the same at each run.
let seed = 20260512;
export const random = (n) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};
export const pick = (list) => list[random(list.length)];
export const WORDS = ['', ' ', 'a', 'Default', ' Bob Smith ', 'x_y-z', '__proto__', '@User', '#Tag', '12', '3.5', '-7', '1e3', '0x1f', 'true', 'off', 'Extra High', 'ä ö', 'https://x.y/z?token=abcdefghijklmnopqrstuvwxyz', 'sk-abcdefghijklmnopqrstuvwxyz', '${API_KEY}', 'secretref-env:KEY', 'accessGroup:ops', '*', 'a\nb\n\nc', 'a'.repeat(70)];
export const SCALARS = [...WORDS, undefined, null, 0, 1, -1.5, 42, NaN, Infinity, true, false, 10n, [], {}, ['a', ' b ', ''], { source: 'env', provider: 'default', id: 'KEY' }, { source: 'file', id: '/a' }];
export const text = () => pick(WORDS);
export const scalar = () => pick(SCALARS);
export const list = (item = text) => Array.from({ length: random(4) }, item);
