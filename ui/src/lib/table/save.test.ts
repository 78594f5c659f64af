import { expect, test } from 'vitest';
import { rowsAsCsv } from './save';

test('rows are flat, raw, and defused', () => {
  const rows = [
    { name: '=web', cpu: { usage: 5, limit: null }, workload: { kind: 'Job', name: 'a,b' }, ready: true, pressures: ['disk', 'memory'] },
    { name: 'x', cpu: { usage: null, limit: 2 }, workload: null, ready: false, pressures: [] },
  ];
  expect(rowsAsCsv(rows)).toBe("name,cpu.usage,cpu.limit,workload.kind,workload.name,ready,pressures\r\n'=web,5,,Job,\"a,b\",true,disk memory\r\nx,,2,,,false,\r\n");
});
