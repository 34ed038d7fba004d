/** The poster of a concert that has no image: large shapes whose form and color follow from its id. */

import type { ReactNode } from "react";

const WIDTH = 80;
const HEIGHT = 100;

export function Pattern({ id, name }: { id: string; name: string }): ReactNode {
  const random = numbersFrom(id);
  const hue = Math.floor(random() * 360);
  const second = (hue + 40 + Math.floor(random() * 120)) % 360;
  const shape = SHAPES[Math.floor(random() * SHAPES.length)] ?? circles;
  return (
    <svg className="pattern" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="xMidYMid slice">
      <rect width={WIDTH} height={HEIGHT} fill={`oklch(0.42 0.11 ${hue})`} />
      <g fill={`oklch(0.72 0.16 ${second})`} stroke={`oklch(0.72 0.16 ${second})`}>
        {shape(random)}
      </g>
      <title>{name}</title>
    </svg>
  );
}

type Random = () => number;

function circles(random: Random): ReactNode {
  const x = 15 + random() * 50;
  const y = 25 + random() * 50;
  return [44, 35, 26, 17, 8].map((radius, ring) => (
    <circle key={radius} cx={x} cy={y} r={radius} strokeWidth="0" fillOpacity={ring % 2 === 0 ? 0.85 : 0.25} />
  ));
}

function stripes(random: Random): ReactNode {
  const tilt = -60 + random() * 120;
  return (
    <g transform={`rotate(${tilt} 40 50)`} strokeWidth="0">
      {[-50, -30, -10, 10, 30, 50, 70, 90, 110].map((y) => (
        <rect key={y} x="-60" y={y} width="200" height={4 + random() * 11} fillOpacity={0.4 + random() * 0.6} />
      ))}
    </g>
  );
}

function arcs(random: Random): ReactNode {
  const isLeft = random() < 0.5;
  return [20, 34, 48, 62, 76].map((radius) => (
    <circle
      key={radius}
      cx={isLeft ? 0 : WIDTH}
      cy={HEIGHT}
      r={radius}
      fill="none"
      strokeWidth={3 + random() * 7}
      strokeOpacity={0.5 + random() * 0.5}
    />
  ));
}

function squares(random: Random): ReactNode {
  return [0, 1, 2, 3, 4].flatMap((row) =>
    [0, 1, 2, 3].map((column) => {
      const size = 4 + random() * 16;
      const inset = (20 - size) / 2;
      return (
        <rect
          key={`${row} ${column}`}
          x={column * 20 + inset}
          y={row * 20 + inset}
          width={size}
          height={size}
          strokeWidth="0"
        />
      );
    }),
  );
}

const SHAPES = [circles, stripes, arcs, squares];

/** The same numbers from 0 to 1 for the same text (mulberry32, seeded with FNV-1a). */
function numbersFrom(text: string): Random {
  let state = 0x811c9dc5;
  for (const letter of text) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
