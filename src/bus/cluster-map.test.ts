import { describe, expect, it } from 'vitest';
import { readClusterMap } from './cluster-map.ts';

const view = (...lines: string[]) => ({ askedAt: '10.0.0.9:7009', text: `${lines.join('\n')}\n` });

describe('the map of a Cluster', () => {
  it('names the master of each slot, how many replicas each has, and the id of each node', () => {
    const map = readClusterMap(
      [
        view(
          'aa 10.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-5 9 [10->-bb]',
          'bb 10.0.0.2:7002@17002,host-b master - 0 0 2 connected 6-8 16383',
          'cc 10.0.0.3:7003@17003 slave aa 0 0 1 connected',
          'dd 10.0.0.4:7004@17004 slave,fail aa 0 0 1 disconnected',
          'ee :0@0 master,noaddr - 0 0 3 disconnected 100',
          'ff 10.0.0.6:7006@17006 handshake - 0 0 0 connected',
        ),
      ],
      false,
    );
    expect(map.owners.slice(0, 11)).toEqual([
      ...Array.from({ length: 6 }, () => '10.0.0.1:7001'),
      ...Array.from({ length: 3 }, () => '10.0.0.2:7002'),
      '10.0.0.1:7001',
      null,
    ]);
    expect(map.owners[16_383]).toBe('10.0.0.2:7002');
    expect(map.owners[100]).toBeNull();
    expect(map.masters).toEqual(
      new Map([
        ['10.0.0.1:7001', 1],
        ['10.0.0.2:7002', 0],
      ]),
    );
    expect(map.addresses).toEqual(
      new Map([
        ['10.0.0.1:7001', 'aa'],
        ['10.0.0.2:7002', 'bb'],
        ['10.0.0.3:7003', 'cc'],
        ['10.0.0.4:7004', 'dd'],
      ]),
    );
  });

  it('believes the newest claim where nodes differ, in whatever order they answer', () => {
    const former = view('aa 10.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-9');
    const promoted = view(
      'aa 10.0.0.1:7001@17001 master,fail - 0 0 1 disconnected',
      'bb 10.0.0.2:7002@17002 myself,master - 0 0 4 connected 0-9',
    );
    for (const views of [
      [former, promoted],
      [promoted, former],
    ]) {
      expect(readClusterMap(views, false).owners.slice(0, 11)).toEqual([
        ...Array.from({ length: 10 }, () => '10.0.0.2:7002'),
        null,
      ]);
    }
  });

  it('reaches a node by its name where certificates ask for it, and one that does not know itself as it was asked', () => {
    const text = [
      'aa 10.0.0.1:7001@17001,host-a master - 0 0 1 connected 0',
      'bb :7009@17009 myself,master - 0 0 2 connected 1',
    ];
    expect(readClusterMap([view(...text)], true).owners.slice(0, 2)).toEqual(['host-a:7001', '10.0.0.9:7009']);
    expect(readClusterMap([view('aa ::1:7001@17001 master - 0 0 1 connected 0')], false).owners[0]).toBe('::1:7001');
  });
});
