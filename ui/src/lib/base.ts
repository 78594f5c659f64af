// The address of the dashboard's root, whatever prefix a proxy puts before it. Read once: later
// changes of the address by the router do not move it.
export const base: URL = new URL('./', document.baseURI);
base.search = '';
base.hash = '';
