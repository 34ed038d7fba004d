import type { ReactNode } from "react";

import { Pattern } from "./pattern";

export interface PosterImage {
  alt: string;
  sizes: readonly { url: string; width: number; height: number }[];
}

export interface PosterProps {
  image: PosterImage | null | undefined;
  /** The concert's id, from which a poster without an image gets its pattern. */
  id: string;
  /** The words on a poster without an image. */
  name: string;
  /** How wide the poster is shown: the `sizes` of an <img>. */
  sizes?: string;
  /** The first posters of a page are loaded at once, the others when they come into view. */
  isFirst?: boolean;
}

/** The image of a concert in the size that fits, or a pattern of its own. */
export function Poster({ image, id, name, sizes = "100vw", isFirst = false }: PosterProps): ReactNode {
  const largest = image?.sizes.at(-1);
  if (!image || !largest) {
    return (
      <span className="poster" aria-hidden="true">
        <Pattern id={id} name={name} />
      </span>
    );
  }
  return (
    <span className="poster">
      <img
        src={largest.url}
        srcSet={image.sizes.map(({ url, width }) => `${url} ${width}w`).join(", ")}
        sizes={sizes}
        width={largest.width}
        height={largest.height}
        alt={image.alt}
        loading={isFirst ? "eager" : "lazy"}
        fetchPriority={isFirst ? "high" : "auto"}
        decoding="async"
      />
    </span>
  );
}
