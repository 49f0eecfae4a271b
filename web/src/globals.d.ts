/** The address of math.js, put in by the build. */
declare const MATH_URL: string;
