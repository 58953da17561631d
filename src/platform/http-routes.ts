/** Which methods a path knows, so that a wrong method is told from a wrong path. Off the hot path. */

export interface KnownRoute {
  readonly method: string;
  /** The pattern's segments: `:name` stands for one segment, `*` for the rest. */
  readonly segments: readonly string[];
}

/** One entry per method of a route pattern such as `/v1/licenses/:product/devices/:deviceId`. */
export function knownRoutes(methods: string | readonly string[], pattern: string): KnownRoute[] {
  const segments = pattern.split('/');
  return [methods].flat().map((method) => ({ method, segments }));
}

function matches(segments: readonly string[], parts: readonly string[]): boolean {
  for (const [index, segment] of segments.entries()) {
    if (segment === '*') return true;
    const part = parts[index];
    if (part === undefined || (segment.startsWith(':') ? part === '' : part !== segment)) return false;
  }
  return segments.length === parts.length;
}

/** The methods that `path` (without query) answers to, sorted; empty where no route has it. */
export function allowedMethods(routes: readonly KnownRoute[], path: string): string[] {
  const parts = path.split('/');
  const found = routes.filter((route) => matches(route.segments, parts)).map((route) => route.method);
  return [...new Set(found)].sort();
}
