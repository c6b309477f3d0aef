import type { Bus } from '../src/bus/bus.ts';

/** The same bus with some methods replaced. */
export function overrideBus(bus: Bus, methods: Partial<Bus>): Bus {
  return new Proxy(bus, {
    get(target, name) {
      const replaced = Reflect.get(methods, name) as unknown;
      const value = replaced ?? (Reflect.get(target, name, target) as unknown);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}
