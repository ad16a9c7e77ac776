export { createLazyRuntimeMethod, createLazyRuntimeMethodBinder, createLazyRuntimeModule, createLazyRuntimeNamedExport, createLazyRuntimeSurface } from './internal/lazy.js';
