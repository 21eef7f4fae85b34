/**
 * The version of the engine. It grows whenever equal inputs may give another state or other outputs than before: inputs
 * that were logged by one version are not stepped by another.
 */
export const engineVersion = 2
