// Modules that are imported when first needed, once.

/** A getter of what `select` takes from a module. */
export function createLazyRuntimeSurface(importer, select) {
  let loading = null;
  return () => (loading ??= importer().then(select));
}
export const createLazyRuntimeModule = (importer) => createLazyRuntimeSurface(importer, (module) => module);
export const createLazyRuntimeNamedExport = (importer, key) => createLazyRuntimeSurface(importer, (module) => module[key]);

/** A function whose code is in a lazy module. */
export const createLazyRuntimeMethod = (load, select) => async (...args) => select(await load())(...args);
export const createLazyRuntimeMethodBinder = (load) => (select) => createLazyRuntimeMethod(load, select);
