// Taro, as far as a mini program SDK can tell: an object whose calls are those of the `wx` global. The global is
// looked up at each call, because a test changes it when the next person takes up their phone.
export default new Proxy({}, {
  get: (_, name) => globalThis.wx?.[name],
  has: (_, name) => name in (globalThis.wx ?? {}),
});
