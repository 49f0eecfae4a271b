var Qu=Object.create;var Vr=Object.defineProperty;var ef=Object.getOwnPropertyDescriptor;var tf=Object.getOwnPropertyNames;var nf=Object.getPrototypeOf,rf=Object.prototype.hasOwnProperty;var of=(e,t)=>()=>{try{return t||e((t={exports:{}}).exports,t),t.exports}catch(n){throw t=0,n}},Ki=(e,t)=>{for(var n in t)Vr(e,n,{get:t[n],enumerable:!0})},sf=(e,t,n,r)=>{
if(t&&typeof t=="object"||typeof t=="function")for(let o of tf(t))!rf.call(e,o)&&o!==n&&Vr(e,o,{get:()=>t[o],enumerable:!(r=ef(t,o))||r.enumerable});return e};var af=(e,t,n)=>(n=e!=null?Qu(nf(e)):{},sf(t||!e||!e.__esModule?Vr(n,"default",{value:e,enumerable:!0}):n,e));var Tc=of((fb,$c)=>{function bc(e){return e instanceof Map?e.clear=e.delete=e.set=function(){throw new Error("map is read-only")}:e instanceof Set&&(e.add=e.clear=
e.delete=function(){throw new Error("set is read-only")}),Object.freeze(e),Object.getOwnPropertyNames(e).forEach(t=>{let n=e[t],r=typeof n;(r==="object"||r==="f\
unction")&&!Object.isFrozen(n)&&bc(n)}),e}var Er=class{constructor(t){t.data===void 0&&(t.data={}),this.data=t.data,this.isMatchIgnored=!1}ignoreMatch(){this.isMatchIgnored=
!0}};function vc(e){return e.replace(/&/g,"&amp;").replace(/</g,"&lt;").replace(/>/g,"&gt;").replace(/"/g,"&quot;").replace(/'/g,"&#x27;")}function it(e,...t){let n=Object.
create(null);for(let r in e)n[r]=e[r];return t.forEach(function(r){for(let o in r)n[o]=r[o]}),n}var Up="</span>",dc=e=>!!e.scope,jp=(e,{prefix:t})=>{if(e.startsWith(
"language:"))return e.replace("language:","language-");if(e.includes(".")){let n=e.split(".");return[`${t}${n.shift()}`,...n.map((r,o)=>`${r}${"_".repeat(o+1)}`)].
join(" ")}return`${t}${e}`},oi=class{constructor(t,n){this.buffer="",this.classPrefix=n.classPrefix,t.walk(this)}addText(t){this.buffer+=vc(t)}openNode(t){if(!dc(
t))return;let n=jp(t.scope,{prefix:this.classPrefix});this.span(n)}closeNode(t){dc(t)&&(this.buffer+=Up)}value(){return this.buffer}span(t){this.buffer+=`<span \
class="${t}">`}},hc=(e={})=>{let t={children:[]};return Object.assign(t,e),t},ii=class e{constructor(){this.rootNode=hc(),this.stack=[this.rootNode]}get top(){return this.
stack[this.stack.length-1]}get root(){return this.rootNode}add(t){this.top.children.push(t)}openNode(t){let n=hc({scope:t});this.add(n),this.stack.push(n)}closeNode(){
if(this.stack.length>1)return this.stack.pop()}closeAllNodes(){for(;this.closeNode(););}toJSON(){return JSON.stringify(this.rootNode,null,4)}walk(t){return this.
constructor._walk(t,this.rootNode)}static _walk(t,n){return typeof n=="string"?t.addText(n):n.children&&(t.openNode(n),n.children.forEach(r=>this._walk(t,r)),t.
closeNode(n)),t}static _collapse(t){typeof t!="string"&&t.children&&(t.children.every(n=>typeof n=="string")?t.children=[t.children.join("")]:t.children.forEach(
n=>{e._collapse(n)}))}},si=class extends ii{constructor(t){super(),this.options=t}addText(t){t!==""&&this.add(t)}startScope(t){this.openNode(t)}endScope(){this.
closeNode()}__addSublanguage(t,n){let r=t.root;n&&(r.scope=`language:${n}`),this.add(r)}toHTML(){return new oi(this,this.options).value()}finalize(){return this.
closeAllNodes(),!0}};function Cn(e){return e?typeof e=="string"?e:e.source:null}function kc(e){return kt("(?=",e,")")}function zp(e){return kt("(?:",e,")*")}function Wp(e){
return kt("(?:",e,")?")}function kt(...e){return e.map(n=>Cn(n)).join("")}function Hp(e){let t=e[e.length-1];return typeof t=="object"&&t.constructor===Object?(e.
splice(e.length-1,1),t):{}}function li(...e){return"("+(Hp(e).capture?"":"?:")+e.map(r=>Cn(r)).join("|")+")"}function yc(e){return new RegExp(e.toString()+"|").
exec("").length-1}function Jp(e,t){let n=e&&e.exec(t);return n&&n.index===0}var qp=/\[(?:[^\\\]]|\\.)*\]|\(\??|\\([1-9][0-9]*)|\\./;function ci(e,{joinWith:t}){
let n=0;return e.map(r=>{n+=1;let o=n,i=Cn(r),s="";for(;i.length>0;){let a=qp.exec(i);if(!a){s+=i;break}s+=i.substring(0,a.index),i=i.substring(a.index+a[0].length),
a[0][0]==="\\"&&a[1]?s+="\\"+String(Number(a[1])+o):(s+=a[0],a[0]==="("&&n++)}return s}).map(r=>`(${r})`).join(t)}var Kp=/\b\B/,wc="[a-zA-Z]\\w*",ui="[a-zA-Z_]\\\
w*",xc="\\b\\d+(\\.\\d+)?",Ec="(-?)(\\b0[xX][a-fA-F0-9]+|(\\b\\d+(\\.\\d*)?|\\.\\d+)([eE][-+]?\\d+)?)",Cc="\\b(0b[01]+)",Gp="!|!=|!==|%|%=|&|&&|&=|\\*|\\*=|\\+|\\+=\
|,|-|-=|/=|/|:|;|<<|<<=|<=|<|===|==|=|>>>=|>>=|>=|>>>|>>|>|\\?|\\[|\\{|\\(|\\^|\\^=|\\||\\|=|\\|\\||~",Zp=(e={})=>{let t=/^#![ ]*\//;return e.binary&&(e.begin=kt(
t,/.*\b/,e.binary,/\b.*/)),it({scope:"meta",begin:t,end:/$/,relevance:0,"on:begin":(n,r)=>{n.index!==0&&r.ignoreMatch()}},e)},Rn={begin:"\\\\[\\s\\S]",relevance:0},
Xp={scope:"string",begin:"'",end:"'",illegal:"\\n",contains:[Rn]},Vp={scope:"string",begin:'"',end:'"',illegal:"\\n",contains:[Rn]},Yp={begin:/\b(a|an|the|are|I'm|isn't|don't|doesn't|won't|but|just|should|pretty|simply|enough|gonna|going|wtf|so|such|will|you|your|they|like|more)\b/},
Rr=function(e,t,n={}){let r=it({scope:"comment",begin:e,end:t,contains:[]},n);r.contains.push({scope:"doctag",begin:"[ ]*(?=(TODO|FIXME|NOTE|BUG|OPTIMIZE|HACK|X\
XX):)",end:/(TODO|FIXME|NOTE|BUG|OPTIMIZE|HACK|XXX):/,excludeBegin:!0,relevance:0});let o=li("I","a","is","so","us","to","at","if","in","it","on",/[A-Za-z]+['](d|ve|re|ll|t|s|n)/,
/[A-Za-z]+[-][a-z]+/,/[A-Za-z][a-z]{2,}/);return r.contains.push({begin:kt(/[ ]+/,"(",o,/[.]?[:]?([.][ ]|[ ])/,"){3}")}),r},Qp=Rr("//","$"),em=Rr("/\\*","\\*/"),
tm=Rr("#","$"),nm={scope:"number",begin:xc,relevance:0},rm={scope:"number",begin:Ec,relevance:0},om={scope:"number",begin:Cc,relevance:0},im={scope:"regexp",begin:/\/(?=[^/\n]*\/)/,
end:/\/[gimuy]*/,contains:[Rn,{begin:/\[/,end:/\]/,relevance:0,contains:[Rn]}]},sm={scope:"title",begin:wc,relevance:0},am={scope:"title",begin:ui,relevance:0},
lm={begin:"\\.\\s*"+ui,relevance:0},cm=function(e){return Object.assign(e,{"on:begin":(t,n)=>{n.data._beginMatch=t[1]},"on:end":(t,n)=>{n.data._beginMatch!==t[1]&&
n.ignoreMatch()}})},xr=Object.freeze({__proto__:null,APOS_STRING_MODE:Xp,BACKSLASH_ESCAPE:Rn,BINARY_NUMBER_MODE:om,BINARY_NUMBER_RE:Cc,COMMENT:Rr,C_BLOCK_COMMENT_MODE:em,
C_LINE_COMMENT_MODE:Qp,C_NUMBER_MODE:rm,C_NUMBER_RE:Ec,END_SAME_AS_BEGIN:cm,HASH_COMMENT_MODE:tm,IDENT_RE:wc,MATCH_NOTHING_RE:Kp,METHOD_GUARD:lm,NUMBER_MODE:nm,
NUMBER_RE:xc,PHRASAL_WORDS_MODE:Yp,QUOTE_STRING_MODE:Vp,REGEXP_MODE:im,RE_STARTERS_RE:Gp,SHEBANG:Zp,TITLE_MODE:sm,UNDERSCORE_IDENT_RE:ui,UNDERSCORE_TITLE_MODE:am});
function um(e,t){e.input[e.index-1]==="."&&t.ignoreMatch()}function fm(e,t){e.className!==void 0&&(e.scope=e.className,delete e.className)}function dm(e,t){t&&e.
beginKeywords&&(e.begin="\\b("+e.beginKeywords.split(" ").join("|")+")(?!\\.)(?=\\b|\\s)",e.__beforeBegin=um,e.keywords=e.keywords||e.beginKeywords,delete e.beginKeywords,
e.relevance===void 0&&(e.relevance=0))}function hm(e,t){Array.isArray(e.illegal)&&(e.illegal=li(...e.illegal))}function pm(e,t){if(e.match){if(e.begin||e.end)throw new Error(
"begin & end are not supported with match");e.begin=e.match,delete e.match}}function mm(e,t){e.relevance===void 0&&(e.relevance=1)}var gm=(e,t)=>{if(!e.beforeMatch)
return;if(e.starts)throw new Error("beforeMatch cannot be used with starts");let n=Object.assign({},e);Object.keys(e).forEach(r=>{delete e[r]}),e.keywords=n.keywords,
e.begin=kt(n.beforeMatch,kc(n.begin)),e.starts={relevance:0,contains:[Object.assign(n,{endsParent:!0})]},e.relevance=0,delete n.beforeMatch},_m=["of","and","for",
"in","not","or","if","then","parent","list","value"],bm="keyword";function Rc(e,t,n=bm){let r=Object.create(null);return typeof e=="string"?o(n,e.split(" ")):Array.
isArray(e)?o(n,e):Object.keys(e).forEach(function(i){Object.assign(r,Rc(e[i],t,i))}),r;function o(i,s){t&&(s=s.map(a=>a.toLowerCase())),s.forEach(function(a){let l=a.
split("|");r[l[0]]=[i,vm(l[0],l[1])]})}}function vm(e,t){return t?Number(t):km(e)?0:1}function km(e){return _m.includes(e.toLowerCase())}var pc={},vt=e=>{console.
error(e)},mc=(e,...t)=>{console.log(`WARN: ${e}`,...t)},Ht=(e,t)=>{pc[`${e}/${t}`]||(console.log(`Deprecated as of ${e}. ${t}`),pc[`${e}/${t}`]=!0)},Cr=new Error;
function Ac(e,t,{key:n}){let r=0,o=e[n],i={},s={};for(let a=1;a<=t.length;a++)s[a+r]=o[a],i[a+r]=!0,r+=yc(t[a-1]);e[n]=s,e[n]._emit=i,e[n]._multi=!0}function ym(e){
if(Array.isArray(e.begin)){if(e.skip||e.excludeBegin||e.returnBegin)throw vt("skip, excludeBegin, returnBegin not compatible with beginScope: {}"),Cr;if(typeof e.
beginScope!="object"||e.beginScope===null)throw vt("beginScope must be object"),Cr;Ac(e,e.begin,{key:"beginScope"}),e.begin=ci(e.begin,{joinWith:""})}}function wm(e){
if(Array.isArray(e.end)){if(e.skip||e.excludeEnd||e.returnEnd)throw vt("skip, excludeEnd, returnEnd not compatible with endScope: {}"),Cr;if(typeof e.endScope!=
"object"||e.endScope===null)throw vt("endScope must be object"),Cr;Ac(e,e.end,{key:"endScope"}),e.end=ci(e.end,{joinWith:""})}}function xm(e){e.scope&&typeof e.
scope=="object"&&e.scope!==null&&(e.beginScope=e.scope,delete e.scope)}function Em(e){xm(e),typeof e.beginScope=="string"&&(e.beginScope={_wrap:e.beginScope}),typeof e.
endScope=="string"&&(e.endScope={_wrap:e.endScope}),ym(e),wm(e)}function Cm(e){function t(s,a){return new RegExp(Cn(s),"m"+(e.case_insensitive?"i":"")+(e.unicodeRegex?
"u":"")+(a?"g":""))}class n{constructor(){this.matchIndexes={},this.regexes=[],this.matchAt=1,this.position=0}addRule(a,l){l.position=this.position++,this.matchIndexes[this.
matchAt]=l,this.regexes.push([l,a]),this.matchAt+=yc(a)+1}compile(){this.regexes.length===0&&(this.exec=()=>null);let a=this.regexes.map(l=>l[1]);this.matcherRe=
t(ci(a,{joinWith:"|"}),!0),this.lastIndex=0}exec(a){this.matcherRe.lastIndex=this.lastIndex;let l=this.matcherRe.exec(a);if(!l)return null;let c=l.findIndex((f,m)=>m>
0&&f!==void 0),u=this.matchIndexes[c];return l.splice(0,c),Object.assign(l,u)}}class r{constructor(){this.rules=[],this.multiRegexes=[],this.count=0,this.lastIndex=
0,this.regexIndex=0}getMatcher(a){if(this.multiRegexes[a])return this.multiRegexes[a];let l=new n;return this.rules.slice(a).forEach(([c,u])=>l.addRule(c,u)),l.
compile(),this.multiRegexes[a]=l,l}resumingScanAtSamePosition(){return this.regexIndex!==0}considerAll(){this.regexIndex=0}addRule(a,l){this.rules.push([a,l]),l.
type==="begin"&&this.count++}exec(a){let l=this.getMatcher(this.regexIndex);l.lastIndex=this.lastIndex;let c=l.exec(a);if(this.resumingScanAtSamePosition()&&!(c&&
c.index===this.lastIndex)){let u=this.getMatcher(0);u.lastIndex=this.lastIndex+1,c=u.exec(a)}return c&&(this.regexIndex+=c.position+1,this.regexIndex===this.count&&
this.considerAll()),c}}function o(s){let a=new r;return s.contains.forEach(l=>a.addRule(l.begin,{rule:l,type:"begin"})),s.terminatorEnd&&a.addRule(s.terminatorEnd,
{type:"end"}),s.illegal&&a.addRule(s.illegal,{type:"illegal"}),a}function i(s,a){let l=s;if(s.isCompiled)return l;[fm,pm,Em,gm].forEach(u=>u(s,a)),e.compilerExtensions.
forEach(u=>u(s,a)),s.__beforeBegin=null,[dm,hm,mm].forEach(u=>u(s,a)),s.isCompiled=!0;let c=null;return typeof s.keywords=="object"&&s.keywords.$pattern&&(s.keywords=
Object.assign({},s.keywords),c=s.keywords.$pattern,delete s.keywords.$pattern),c=c||/\w+/,s.keywords&&(s.keywords=Rc(s.keywords,e.case_insensitive)),l.keywordPatternRe=
t(c,!0),a&&(s.begin||(s.begin=/\B|\b/),l.beginRe=t(l.begin),!s.end&&!s.endsWithParent&&(s.end=/\B|\b/),s.end&&(l.endRe=t(l.end)),l.terminatorEnd=Cn(l.end)||"",s.
endsWithParent&&a.terminatorEnd&&(l.terminatorEnd+=(s.end?"|":"")+a.terminatorEnd)),s.illegal&&(l.illegalRe=t(s.illegal)),s.contains||(s.contains=[]),s.contains=
[].concat(...s.contains.map(function(u){return Rm(u==="self"?s:u)})),s.contains.forEach(function(u){i(u,l)}),s.starts&&i(s.starts,a),l.matcher=o(l),l}if(e.compilerExtensions||
(e.compilerExtensions=[]),e.contains&&e.contains.includes("self"))throw new Error("ERR: contains `self` is not supported at the top-level of a language.  See do\
cumentation.");return e.classNameAliases=it(e.classNameAliases||{}),i(e)}function Dc(e){return e?e.endsWithParent||Dc(e.starts):!1}function Rm(e){return e.variants&&
!e.cachedVariants&&(e.cachedVariants=e.variants.map(function(t){return it(e,{variants:null},t)})),e.cachedVariants?e.cachedVariants:Dc(e)?it(e,{starts:e.starts?
it(e.starts):null}):Object.isFrozen(e)?it(e):e}var Am="11.11.1",ai=class extends Error{constructor(t,n){super(t),this.name="HTMLInjectionError",this.html=n}},ri=vc,
gc=it,_c=Symbol("nomatch"),Dm=7,Sc=function(e){let t=Object.create(null),n=Object.create(null),r=[],o=!0,i="Could not find the language '{}', did you forget to \
load/include a language module?",s={disableAutodetect:!0,name:"Plain text",contains:[]},a={ignoreUnescapedHTML:!1,throwUnescapedHTML:!1,noHighlightRe:/^(no-?highlight)$/i,
languageDetectRe:/\blang(?:uage)?-([\w-]+)\b/i,classPrefix:"hljs-",cssSelector:"pre code",languages:null,__emitter:si};function l(E){return a.noHighlightRe.test(
E)}function c(E){let T=E.className+" ";T+=E.parentNode?E.parentNode.className:"";let S=a.languageDetectRe.exec(T);if(S){let B=N(S[1]);return B||(mc(i.replace("{\
}",S[1])),mc("Falling back to no-highlight mode for this block.",E)),B?S[1]:"no-highlight"}return T.split(/\s+/).find(B=>l(B)||N(B))}function u(E,T,S){let B="",
W="";typeof T=="object"?(B=E,S=T.ignoreIllegals,W=T.language):(Ht("10.7.0","highlight(lang, code, ...args) has been deprecated."),Ht("10.7.0",`Please use highli\
ght(code, options) instead.
https://github.com/highlightjs/highlight.js/issues/2277`),W=E,B=T),S===void 0&&(S=!0);let ne={code:B,language:W};te("before:highlight",ne);let me=ne.result?ne.result:
f(ne.language,ne.code,S);return me.code=ne.code,te("after:highlight",me),me}function f(E,T,S,B){let W=Object.create(null);function ne(R,M){return R.keywords[M]}
function me(){if(!F.keywords){fe.addText(G);return}let R=0;F.keywordPatternRe.lastIndex=0;let M=F.keywordPatternRe.exec(G),P="";for(;M;){P+=G.substring(R,M.index);
let q=Oe.case_insensitive?M[0].toLowerCase():M[0],ge=ne(F,q);if(ge){let[qe,Vu]=ge;if(fe.addText(P),P="",W[q]=(W[q]||0)+1,W[q]<=Dm&&(jn+=Vu),qe.startsWith("_"))P+=
M[0];else{let Yu=Oe.classNameAliases[qe]||qe;Fe(M[0],Yu)}}else P+=M[0];R=F.keywordPatternRe.lastIndex,M=F.keywordPatternRe.exec(G)}P+=G.substring(R),fe.addText(
P)}function Ie(){if(G==="")return;let R=null;if(typeof F.subLanguage=="string"){if(!t[F.subLanguage]){fe.addText(G);return}R=f(F.subLanguage,G,!0,qi[F.subLanguage]),
qi[F.subLanguage]=R._top}else R=d(G,F.subLanguage.length?F.subLanguage:null);F.relevance>0&&(jn+=R.relevance),fe.__addSublanguage(R._emitter,R.language)}function xe(){
F.subLanguage!=null?Ie():me(),G=""}function Fe(R,M){R!==""&&(fe.startScope(M),fe.addText(R),fe.endScope())}function zi(R,M){let P=1,q=M.length-1;for(;P<=q;){if(!R.
_emit[P]){P++;continue}let ge=Oe.classNameAliases[R[P]]||R[P],qe=M[P];ge?Fe(qe,ge):(G=qe,me(),G=""),P++}}function Wi(R,M){return R.scope&&typeof R.scope=="strin\
g"&&fe.openNode(Oe.classNameAliases[R.scope]||R.scope),R.beginScope&&(R.beginScope._wrap?(Fe(G,Oe.classNameAliases[R.beginScope._wrap]||R.beginScope._wrap),G=""):
R.beginScope._multi&&(zi(R.beginScope,M),G="")),F=Object.create(R,{parent:{value:F}}),F}function Hi(R,M,P){let q=Jp(R.endRe,P);if(q){if(R["on:end"]){let ge=new Er(
R);R["on:end"](M,ge),ge.isMatchIgnored&&(q=!1)}if(q){for(;R.endsParent&&R.parent;)R=R.parent;return R}}if(R.endsWithParent)return Hi(R.parent,M,P)}function qu(R){
return F.matcher.regexIndex===0?(G+=R[0],1):(Xr=!0,0)}function Ku(R){let M=R[0],P=R.rule,q=new Er(P),ge=[P.__beforeBegin,P["on:begin"]];for(let qe of ge)if(qe&&
(qe(R,q),q.isMatchIgnored))return qu(M);return P.skip?G+=M:(P.excludeBegin&&(G+=M),xe(),!P.returnBegin&&!P.excludeBegin&&(G=M)),Wi(P,R),P.returnBegin?0:M.length}
function Gu(R){let M=R[0],P=T.substring(R.index),q=Hi(F,R,P);if(!q)return _c;let ge=F;F.endScope&&F.endScope._wrap?(xe(),Fe(M,F.endScope._wrap)):F.endScope&&F.endScope.
_multi?(xe(),zi(F.endScope,R)):ge.skip?G+=M:(ge.returnEnd||ge.excludeEnd||(G+=M),xe(),ge.excludeEnd&&(G=M));do F.scope&&fe.closeNode(),!F.skip&&!F.subLanguage&&
(jn+=F.relevance),F=F.parent;while(F!==q.parent);return q.starts&&Wi(q.starts,R),ge.returnEnd?0:M.length}function Zu(){let R=[];for(let M=F;M!==Oe;M=M.parent)M.
scope&&R.unshift(M.scope);R.forEach(M=>fe.openNode(M))}let Un={};function Ji(R,M){let P=M&&M[0];if(G+=R,P==null)return xe(),0;if(Un.type==="begin"&&M.type==="en\
d"&&Un.index===M.index&&P===""){if(G+=T.slice(M.index,M.index+1),!o){let q=new Error(`0 width match regex (${E})`);throw q.languageName=E,q.badRule=Un.rule,q}return 1}
if(Un=M,M.type==="begin")return Ku(M);if(M.type==="illegal"&&!S){let q=new Error('Illegal lexeme "'+P+'" for mode "'+(F.scope||"<unnamed>")+'"');throw q.mode=F,
q}else if(M.type==="end"){let q=Gu(M);if(q!==_c)return q}if(M.type==="illegal"&&P==="")return G+=`
`,1;if(Zr>1e5&&Zr>M.index*3)throw new Error("potential infinite loop, way more iterations than matches");return G+=P,P.length}let Oe=N(E);if(!Oe)throw vt(i.replace(
"{}",E)),new Error('Unknown language: "'+E+'"');let Xu=Cm(Oe),Gr="",F=B||Xu,qi={},fe=new a.__emitter(a);Zu();let G="",jn=0,at=0,Zr=0,Xr=!1;try{if(Oe.__emitTokens)
Oe.__emitTokens(T,fe);else{for(F.matcher.considerAll();;){Zr++,Xr?Xr=!1:F.matcher.considerAll(),F.matcher.lastIndex=at;let R=F.matcher.exec(T);if(!R)break;let M=T.
substring(at,R.index),P=Ji(M,R);at=R.index+P}Ji(T.substring(at))}return fe.finalize(),Gr=fe.toHTML(),{language:E,value:Gr,relevance:jn,illegal:!1,_emitter:fe,_top:F}}catch(R){
if(R.message&&R.message.includes("Illegal"))return{language:E,value:ri(T),illegal:!0,relevance:0,_illegalBy:{message:R.message,index:at,context:T.slice(at-100,at+
100),mode:R.mode,resultSoFar:Gr},_emitter:fe};if(o)return{language:E,value:ri(T),illegal:!1,relevance:0,errorRaised:R,_emitter:fe,_top:F};throw R}}function m(E){
let T={value:ri(E),illegal:!1,relevance:0,_top:s,_emitter:new a.__emitter(a)};return T._emitter.addText(E),T}function d(E,T){T=T||a.languages||Object.keys(t);let S=m(
E),B=T.filter(N).filter(U).map(xe=>f(xe,E,!1));B.unshift(S);let W=B.sort((xe,Fe)=>{if(xe.relevance!==Fe.relevance)return Fe.relevance-xe.relevance;if(xe.language&&
Fe.language){if(N(xe.language).supersetOf===Fe.language)return 1;if(N(Fe.language).supersetOf===xe.language)return-1}return 0}),[ne,me]=W,Ie=ne;return Ie.secondBest=
me,Ie}function p(E,T,S){let B=T&&n[T]||S;E.classList.add("hljs"),E.classList.add(`language-${B}`)}function _(E){let T=null,S=c(E);if(l(S))return;if(te("before:h\
ighlightElement",{el:E,language:S}),E.dataset.highlighted){console.log("Element previously highlighted. To highlight again, first unset `dataset.highlighted`.",
E);return}if(E.children.length>0&&(a.ignoreUnescapedHTML||(console.warn("One of your code blocks includes unescaped HTML. This is a potentially serious security\
 risk."),console.warn("https://github.com/highlightjs/highlight.js/wiki/security"),console.warn("The element with unescaped HTML:"),console.warn(E)),a.throwUnescapedHTML))
throw new ai("One of your code blocks includes unescaped HTML.",E.innerHTML);T=E;let B=T.textContent,W=S?u(B,{language:S,ignoreIllegals:!0}):d(B);E.innerHTML=W.
value,E.dataset.highlighted="yes",p(E,S,W.language),E.result={language:W.language,re:W.relevance,relevance:W.relevance},W.secondBest&&(E.secondBest={language:W.
secondBest.language,relevance:W.secondBest.relevance}),te("after:highlightElement",{el:E,result:W,text:B})}function k(E){a=gc(a,E)}let v=()=>{y(),Ht("10.6.0","i\
nitHighlighting() deprecated.  Use highlightAll() now.")};function b(){y(),Ht("10.6.0","initHighlightingOnLoad() deprecated.  Use highlightAll() now.")}let w=!1;
function y(){function E(){y()}if(document.readyState==="loading"){w||window.addEventListener("DOMContentLoaded",E,!1),w=!0;return}document.querySelectorAll(a.cssSelector).
forEach(_)}function x(E,T){let S=null;try{S=T(e)}catch(B){if(vt("Language definition for '{}' could not be registered.".replace("{}",E)),o)vt(B);else throw B;S=
s}S.name||(S.name=E),t[E]=S,S.rawDefinition=T.bind(null,e),S.aliases&&I(S.aliases,{languageName:E})}function C(E){delete t[E];for(let T of Object.keys(n))n[T]===
E&&delete n[T]}function $(){return Object.keys(t)}function N(E){return E=(E||"").toLowerCase(),t[E]||t[n[E]]}function I(E,{languageName:T}){typeof E=="string"&&
(E=[E]),E.forEach(S=>{n[S.toLowerCase()]=T})}function U(E){let T=N(E);return T&&!T.disableAutodetect}function L(E){E["before:highlightBlock"]&&!E["before:highli\
ghtElement"]&&(E["before:highlightElement"]=T=>{E["before:highlightBlock"](Object.assign({block:T.el},T))}),E["after:highlightBlock"]&&!E["after:highlightElemen\
t"]&&(E["after:highlightElement"]=T=>{E["after:highlightBlock"](Object.assign({block:T.el},T))})}function z(E){L(E),r.push(E)}function H(E){let T=r.indexOf(E);T!==
-1&&r.splice(T,1)}function te(E,T){let S=E;r.forEach(function(B){B[S]&&B[S](T)})}function se(E){return Ht("10.7.0","highlightBlock will be removed entirely in v\
12.0"),Ht("10.7.0","Please use highlightElement now."),_(E)}Object.assign(e,{highlight:u,highlightAuto:d,highlightAll:y,highlightElement:_,highlightBlock:se,configure:k,
initHighlighting:v,initHighlightingOnLoad:b,registerLanguage:x,unregisterLanguage:C,listLanguages:$,getLanguage:N,registerAliases:I,autoDetection:U,inherit:gc,addPlugin:z,
removePlugin:H}),e.debugMode=function(){o=!1},e.safeMode=function(){o=!0},e.versionString=Am,e.regex={concat:kt,lookahead:kc,either:li,optional:Wp,anyNumberOfTimes:zp};
for(let E in xr)typeof xr[E]=="object"&&bc(xr[E]);return Object.assign(e,xr),e},Jt=Sc({});Jt.newInstance=()=>Sc({});$c.exports=Jt;Jt.HighlightJS=Jt;Jt.default=Jt});var J,Xi,eo,Ve,Yr,Jn,Vi,Wn,Yi,to,Qr,lf,Vt=Symbol.for("pv"),qn={},Kn=[],cf=/^m(i|n|o|s|text|space)$/,no=Array.isArray,ro=Kn.slice,ct=Object.assign;function lt(e){
e&&e.parentNode&&e.remove()}function Gn(e,t,n){var r,o,i,s={},a=arguments.length;for(i in t)i=="key"?r=t[i]:i=="ref"&&typeof e!="function"?o=t[i]:s[i]=t[i];return a>
2&&(s.children=a>3?ro.call(arguments,2):n),Xt(e,s,r,o,null)}function Xt(e,t,n,r,o){var i={type:e,props:t,key:n,ref:r,__k:null,__:null,__b:0,__e:null,__c:null,constructor:Vt,__v:o||++Xi,__i:-1,__u:0};return!o&&J.vnode&&J.
vnode(i),i}function ut(e){return e.children}function At(e,t){this.props=e,this.context=t,this.__g=0}function Ye(e,t){if(t==null)return e.__&&Ye(e.__,e.__i+1);for(var n;t<e.
__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:Ye(e)}function uf(e){var t,n=e.__v,r=n.__e,o=[],i=[],s=e.__P;
s&&((t=ct({constructor:Vt},n)).__v=n.__v+1,J.vnode&&J.vnode(t),oo(s,t,n,e.__n,s.namespaceURI,32&n.__u?[r]:null,o,r||Ye(n),32&n.__u,i),t.__v=n.__v,t.__.__k[t.__i]=
t,os(o,t,i),n.__=n.__e=null,t.__e!=r&&Qi(t))}function Qi(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),
Qi(e)}function Gi(e){(8&e.__g||(e.__g|=8,Ve.push(e),Jn++))&&Yr==J.debounceRendering||((Yr=J.debounceRendering)||queueMicrotask)(es)}function es(){try{for(var e,
t=1;Ve.length;)Ve.length>t&&Ve.sort(Vi),e=Ve.shift(),t=Ve.length,8&e.__g&&uf(e)}finally{(Jn=Ve.length)&&(Yr||queueMicrotask)(es)}}function ts(e,t,n,r,o,i,s,a,l,c,u){
var f,m,d,p,_,k,v=r.__k||Kn,b=t.length;for(l=ff(n,t,v,l,b),f=0;f<b;f++)(d=n.__k[f])!=null&&(m=~d.__i&&v[d.__i]||qn,d.__i=f,k=oo(e,d,m,o,i,s,a,l,c,u),p=d.__e,(m.
ref!=d.ref||8&m.__u)&&(m.ref&&io(m.ref,null,d,m),d.ref&&u.push(d.ref,d.__c||p,d)),_=_||p,4&d.__u?(l=ns(d,l,e,!m.__v),m.__e&&(m.__e=null)):typeof d.type=="functi\
on"&&k!==void 0?l=k:p&&(l=p.nextSibling),d.__u&=-21);return n.__e=_,l}function ff(e,t,n,r,o){var i,s,a,l,c,u,f,m,d,p=n.length,_=p,k=0,v=0,b=e.__k=Array(o);for(i=
0;i<o;i++)(s=t[i])!=null&&typeof s!="boolean"&&typeof s!="function"?(typeof s!="object"||s.constructor===String?s=b[i]=Xt(null,s):no(s)?s=b[i]=Xt(ut,{children:s}):
s.constructor===Vt&&s.__b?s=b[i]=Xt(s.type,s.props,s.key,s.ref,s.__v):b[i]=s,l=i+k,s.__=e,s.__b=e.__b+1,a=null,~(c=s.__i=df(s,n,l,_))&&(_--,(a=n[c])&&(a.__u|=2)),
a&&a.__v?(s.__u|=16,c==l-1?k--:c==l+1?k++:c!=l&&(c>l?k--:k++,v=1)):(~c||(o>p?k--:o<p&&k++),typeof s.type!="function"&&(s.__u|=4))):b[i]=null;if(v){for(u=[],f=[],
i=0;i<o;i++)if((s=b[i])&&16&s.__u){for(k=0,m=u.length;k<m;)u[d=k+m>>1]<s.__i?k=d+1:m=d;u[k]=s.__i,f[i]=k+1}for(k=u.length;i--;)f[i]&&(f[i]==k?k--:b[i].__u|=4)}if(_)
for(i=0;i<p;i++)!(a=n[i])||2&a.__u||(a.__e==r&&(r=Ye(a)),so(a,a));return r}function ns(e,t,n,r){var o,i,s,a;if(typeof e.type=="function"){if(e.props.__P)return t;
if(o=e.__k)for(i=0;i<o.length;i++)o[i]&&(o[i].__=e,t=ns(o[i],t,n,!1));return t}for(t&&!t.parentNode&&(t=Ye(e))&&!t.parentNode&&(t=null),s=e.__e,a=t;a&&a.nodeType==
8;)a=a.nextSibling;for(s!=a&&(!r&&n.moveBefore&&s.parentNode?n.moveBefore(s,t):n.insertBefore(s,t||null)),t=s;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith(
"$s"););return t}function df(e,t,n,r){var o,i=e.key,s=e.type,a=t[n],l=a&&!(2&a.__u);if(a===null&&i==null||l&&i==a.key&&s==a.type)return n;if(r>(l?1:0)){for(o=n-1;o>=0;o--)if((a=
t[o])&&!(2&a.__u)&&i==a.key&&s==a.type)return o;for(o=n+1;o<t.length;o++)if((a=t[o])&&!(2&a.__u)&&i==a.key&&s==a.type)return o}return-1}function Zi(e,t,n){n==null&&
(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function zn(e,t,n,r,o){var i,s;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof r=="string"&&(e.style.
cssText=r=""),r)for(t in r)n&&t in n||Zi(e.style,t);if(n)for(t in n)r&&n[t]==r[t]||Zi(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),
typeof r!="function"&&(r=null),(e.__e||(e.__e={}))[t]=n,n&&r||(s=Qr[t]||(Qr[t]=hf(t)),(e.__a||(e.__a={}))[t]=to,i=t!=(t=t.replace(Yi,"$1")),(t=t.slice(2))[0]<"a"&&
(t=t.toLowerCase()),n?e.addEventListener(t,s,i):e.removeEventListener(t,s,i));else{if(o=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,
"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)
try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function hf(e){
return function(t){var n=this.__e;if(n){if(n=n[e],t[Wn]==null)t[Wn]=to++;else if(t[Wn]<this.__a[e])return;return n(J.event?J.event(t):t)}}}function oo(e,t,n,r,o,i,s,a,l,c){
var u,f,m,d,p,_,k,v,b,w,y,x,C,$,N,I,U,L,z=t.type;if(t.constructor!==Vt)return null;128&n.__u&&(l=32&n.__u,u=n.__c.__z)&&(t.__u|=l,f=i=[],u.nodeType==8?a=Hn(u,i):
i.push(u),a=i[0]||a),(u=J.__b)&&u(t);e:if(typeof z=="function"){m=s.length;try{if(v=t.props,b=(u=z.prototype)&&u.render,w=(u=z.contextType)&&r[u.__c],y=u?w?w.props.
value:u.__:r,(d=n.__c)?(t.__c=d,2&d.__g&&(d.__g|=1)):(b?t.__c=d=new z(v,y):(t.__c=d=new At(v,y),d.constructor=z,d.render=mf),w&&w.sub(d),d.state||(d.state={}),d.
__n=r,d.__g|=8,d.__h=[],d.__k=[]),b&&(d.__s||(d.__s=d.state),z.getDerivedStateFromProps&&(d.__s==d.state&&(d.__s=ct({},d.__s)),ct(d.__s,z.getDerivedStateFromProps(
v,d.__s)))),p=d.props,_=d.state,d.__v=t,n.__c){if(v!==p&&b&&!z.getDerivedStateFromProps&&d.componentWillReceiveProps&&d.componentWillReceiveProps(v,y),t.__v==n.
__v&&!(8&d.__g)||!(4&d.__g)&&d.shouldComponentUpdate&&d.shouldComponentUpdate(v,d.__s,y)===!1){t.__v!=n.__v&&(d.props=v,d.state=d.__s,d.__g&=-9),t.__e=n.__e,t.__k=
n.__k,t.__k.some(function(H){H&&(H.__=t)}),Kn.push.apply(d.__h,d.__k),d.__k=[],d.__h.length&&s.push(d),a=Ye(n);break e}d.componentWillUpdate&&d.componentWillUpdate(
v,d.__s,y),b&&d.componentDidUpdate&&d.__h.push(function(){d.componentDidUpdate(p,_,k)})}else b&&!z.getDerivedStateFromProps&&d.componentWillMount&&d.componentWillMount(),
b&&d.componentDidMount&&d.__h.push(d.componentDidMount);d.context=y,d.props=v,d.__P=e,d.__g&=-5,x=J.__r,C=b?25:0;do d.__g&=-9,x&&x(t),u=d.render(d.props,d.state=
d.__s,d.context);while(8&d.__g&&++C<25);b&&(Kn.push.apply(d.__h,d.__k),d.__k=[]),d.state=d.__s,d.getChildContext&&(r=ct({},r,d.getChildContext())),b&&n.__c&&d.getSnapshotBeforeUpdate&&
(k=d.getSnapshotBeforeUpdate(p,_)),$=u&&u.type===ut&&u.key==null?u.props.children:u,v.__P&&(u=a,o=(e=v.__P).namespaceURI,l=i=null,n.props&&n.props.__P!=e&&(n.__k.
some(function(H){H&&so(H,H)}),n.__k=null),a=n.__k?Ye(n,0):null),a=ts(e,no($)?$:[$],t,n,r,o,i,s,a,l,c),v.__P&&(t.__e=null,a=u),t.__u&=-161,f&&f.some(lt),d.__h.length&&
s.push(d),1&d.__g&&(d.__g&=-4)}catch(H){if(s.length=m,t.__v=null,l||i)if(H&&H.then){if(t.__u|=128|l,i){for(~(U=i.indexOf(a||void 0))||(U=i.length);(L=i[U-1])&&L.
nodeType==8;)U--;for(;U<i.length;U++)if(L=i[U])if(i[U]=null,N){if(L==I)break}else{if(L.nodeType!=8)break;L.data.startsWith("$s")&&(I=Hn(N=L))}}if(!N){for(;a&&a.
nodeType==8&&a.nextSibling;)a=a.nextSibling;N=a}(u=Hn(N=t.__c.__z||(t.__c.__z=N)))?(t.__e=N,a=u):t.__e=a,a=a&&a.nextSibling}else i&&i.some(lt);else t.__e=n.__e;
t.__k||(t.__k=n.__k||[]),H&&H.then||rs(t),J.__e(H,t,n)}}else a=t.__e=pf(n.__e,t,n,r,o,i,s,l,c,e);return(u=J.diffed)&&u(t),a}function Hn(e,t){if(e&&e.nodeType==8&&
e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(
e)}}function rs(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(rs))}function os(e,t,n){for(var r=0;r<n.length;)io(n[r++],n[r++],n[r++]);J.__c&&J.__c(t,e),e.some(
function(o){try{e=o.__h,o.__h=[],e.some(function(i){i.call(o)})}catch(i){J.__e(i,o.__v)}})}function pf(e,t,n,r,o,i,s,a,l,c){var u,f,m,d,p,_,k,v,b=n.props||qn,w=t.
props,y=t.type;if(y=="svg"?o="http://www.w3.org/2000/svg":y=="math"?o="http://www.w3.org/1998/Math/MathML":o||(o="http://www.w3.org/1999/xhtml"),i){for(u=0;u<i.
length;u++)if((p=i[u])&&(y?p.localName==y:p.nodeType==3)){e=p,i[u]=null;break}}if(!e){if(v=c.ownerDocument||document,!y)return v.createTextNode(w);e=v.createElementNS(
o,y,w.is?w:c),a&&(J.__m&&J.__m(t,i),a=!1),i=null}if(y){if(c=y=="template"&&e.content||e,i=y=="textarea"&&w.defaultValue!=null?null:i&&ro.call(c.childNodes),!a&&
i)for(b={},u=0;u<e.attributes.length;u++)b[(p=e.attributes[u]).name]=p.value;for(u in b)p=b[u],u=="dangerouslySetInnerHTML"?m=p:u=="children"||u in w||u=="value"&&
"defaultValue"in w||u=="checked"&&"defaultChecked"in w||zn(e,u,null,p,o);for(u in w)p=w[u],u=="children"?d=p:u=="dangerouslySetInnerHTML"?f=p:u=="value"?_=p:u==
"checked"?k=p:a&&typeof p!="function"||b[u]===p||zn(e,u,p,b[u],o);f?(a||m&&(f.__html==m.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(m&&(e.
textContent=""),(y=="foreignObject"||o=="http://www.w3.org/1998/Math/MathML"&&cf.test(y))&&(o="http://www.w3.org/1999/xhtml"),ts(c,no(d)?d:[d],t,n,r,o,i,s,i?i[0]:
n.__k&&Ye(n,0),a,l),i&&i.some(lt)),a&&y!="textarea"||(u="value",y=="progress"&&_==null?e.removeAttribute(u):_==null||_===e[u]&&(y!="progress"||_)||zn(e,u,_,b[u],
o),u="checked",k!=null&&k!=e[u]&&zn(e,u,k,b[u],o))}else b===w||a&&e.data==w||(e.data=w);return e}function io(e,t,n,r){try{typeof e=="function"?t?t.__x=e(t)||1:r&&
(r=r.__c||r.__e)&&(t=r.__x)&&(r.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(o){J.__e(o,n)}}function so(e,t,n){var r,o,i,s;if(J.unmount&&J.unmount(
e),!(r=e.ref)||r.current&&r.current!=e.__e||io(r,null,t,e),r=e.__c){if(r.componentWillUnmount)try{r.componentWillUnmount()}catch(a){J.__e(a,t)}r.__P=r.__n=null}
if(r=e.__k)for(s=0;s<r.length;s++)r[s]&&so(r[s],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(r=e.__c)&&(r=r.__z)&&(o=Hn(r,i=[]))&&(r==e.__e&&i.some(lt),lt(
o),lt(r)),n||lt(e.__e),e.__e=e.__c=e.__=null}function mf(e,t,n){return this.constructor(e,n)}function is(e,t){var n,r,o,i;J.__&&J.__(e,t),t.nodeType==9&&(t=t.documentElement),
r=(n=e&&32&e.__u)?null:t.__k,t.__k=Xt(ut,{children:[e]}),o=[],i=[],oo(t,t.__k,r||qn,qn,t.namespaceURI,r?null:t.firstChild?ro.call(t.childNodes):null,o,r?r.__e:t.
firstChild,n,i),os(o,t.__k,i),t.__k.props.children=null}J={__e:function(e,t,n,r){for(var o,i,s;t=t.__;)if((o=t.__c)&&!(1&o.__g)){o.__g|=4;try{if((s=(i=o.constructor)&&i.getDerivedStateFromError)&&o.setState(i.getDerivedStateFromError(
e)),o.componentDidCatch&&(o.componentDidCatch(e,r||{}),s=1),s&&8&o.__g)return void(o.__g|=2)}catch(a){e=a}}throw Jn=0,e}},Xi=0,eo=function(e){return e!=null&&e.
constructor===Vt},At.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=ct({},this.state)),typeof e=="function"&&(e=e(ct({},n),this.props)),
e&&(ct(n,e),this.__v&&(t&&this.__k.push(t),Gi(this)))},At.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),Gi(this))},At.prototype.render=
ut,Ve=[],Jn=0,Vi=function(e,t){return e.__v.__b-t.__v.__b},Wn=Symbol(),Yi=/(PointerCapture)$|Capture$/i,to=0,Qr={},lf=0;var as=function(e,t,n,r){var o;t[0]=0;for(var i=1;i<t.length;i++){var s=t[i++],a=t[i]?(t[0]|=s?1:2,n[t[i++]]):t[++i];s===3?r[0]=a:s===4?r[1]=Object.assign(r[1]||
{},a):s===5?(r[1]=r[1]||{})[t[++i]]=a:s===6?r[1][t[++i]]+=a+"":s?(o=e.apply(a,as(e,a,n,["",null])),r.push(o),a[0]?t[0]|=2:(t[i-2]=0,t[i]=o)):r.push(a)}return r},
ss=new Map;function ls(e){var t=ss.get(this);return t||(t=new Map,ss.set(this,t)),(t=as(this,t.get(e)||(t.set(e,t=(function(n){for(var r,o,i=1,s="",a="",l=[0],c=function(m){
i===1&&(m||(s=s.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?l.push(0,m,s):i===3&&(m||s)?(l.push(3,m,s),i=2):i===2&&s==="..."&&m?l.push(4,m,0):i===2&&s&&!m?l.push(5,0,!0,
s):i>=5&&((s||!m&&i===5)&&(l.push(i,0,s,o),i=6),m&&(l.push(i,m,0,o),i=6)),s=""},u=0;u<n.length;u++){u&&(i===1&&c(),c(u));for(var f=0;f<n[u].length;f++)r=n[u][f],
i===1?r==="<"?(c(),l=[l],i=3):s+=r:i===4?s==="--"&&r===">"?(i=1,s=""):s=r+s[0]:a?r===a?a="":s+=r:r==='"'||r==="'"?a=r:r===">"?(c(),i=1):i&&(r==="="?(i=5,o=s,s=""):
r==="/"&&(i<5||n[u][f+1]===">")?(c(),i===3&&(l=l[0]),i=l,(l=l[0]).push(2,0,i),i=0):r===" "||r==="	"||r===`
`||r==="\r"?(c(),i=2):s+=r),i===3&&s==="!--"&&(i=4,l=l[0])}return c(),l})(e)),t),arguments,[])).length>1?t:t[0]}var g=ls.bind(Gn),Z=e=>t=>e(t.target.value);var Qt,ve,ao,cs,gf=Object.is,lo=0,bs=[],co=[],re=J,us=re.__b,fs=re.__r,ds=re.diffed,hs=re.__c,ps=re.unmount,ms=re.__;function fo(e,t){re.__h&&re.__h(ve,e,lo||t),
lo=0;var n=ve.__H||(ve.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function ee(e,t){var n=fo(Qt++,3);!re.__s&&ho(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,ve.__H.__h.push(n))}function ft(e,t){var n=fo(Qt++,4);!re.__s&&ho(n.__H,t)&&(n.__P=
!1,n.__=e,n.u=t,ve.__h.push(n))}function oe(e){return lo=5,Dt(function(){return{current:e}},[])}function Dt(e,t){var n=fo(Qt++,7);return ho(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function _f(){var e;do{for(;e=co.shift();)try{Yt(e)}catch(n){re.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=bs.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(Yt),t.__h.
some(uo),t.__h=[]}catch(n){t.__h=[],re.__e(n,e.__v)}}}while(co.length)}re.__b=function(e){ve=null,us&&us(e)},re.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.
__m),ms&&ms(e,t)},re.__r=function(e){fs&&fs(e),Qt=0;var t=(ve=e.__c).__H;t&&(ao==ve?ve.__h=[]:(t.__h.some(Yt),t.__h.some(uo),Qt=0),t.__h=[],t.__.some(function(n){
n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),ao=ve},re.diffed=function(e){ds&&ds(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&_s(bs.push(t)),t.__H.__.some(function(n){
n.u&&(n.__H=n.u)})),ao=ve=null},re.__c=function(e,t){t.some(function(n){try{n.__h.some(Yt),n.__h=n.__h.filter(function(r){return!r.__||uo(r)})}catch(r){n.__h=[function(){
throw r}]}}),hs&&hs(e,t)},re.unmount=function(e){ps&&ps(e);var t,n,r=e.__c;r&&r.__H&&(r.__H.__.some(function(o){try{if(o.__P&&o.__c){if(n===void 0){for(n=e.__;n&&
(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}o.__P=n,_s(co.push(o))}else Yt(o)}catch(i){t=i}}),r.__H=void 0,t&&re.__e(t,r.__v))};var gs=typeof requestAnimationFrame==
"function";function bf(e){var t,n=function(){clearTimeout(r),gs&&cancelAnimationFrame(t),setTimeout(e)},r=setTimeout(n,35);gs&&(t=requestAnimationFrame(n))}function _s(e){
e!=1&&cs==re.requestAnimationFrame||((cs=re.requestAnimationFrame)||bf)(_f)}function Yt(e){var t=ve,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),ve=t}function uo(e){
var t=ve;e.__c=e.__(),ve=t}function ho(e,t){return!e||e.length!=t.length||t.some(function(n,r){return!gf(n,e[r])})}var vf=Symbol.for("preact-signals");function Yn(){if(Ke>1)Ke--;else{var e,t=!1;for((function(){var o=Xn;for(Xn=void 0;o!==void 0;){var i=o.S;if(i.v===o.v)for(var s=i.
t;s!==void 0;s=s.x)s.i===o.i&&(s.i=i.i);o=o.o}})();tn!==void 0;){var n=tn;for(tn=void 0,Zn++;n!==void 0;){var r=n.u;if(n.u=void 0,n.f&=-3,!(8&n.f)&&ks(n))try{n.
c()}catch(o){t||(e=o,t=!0)}n=r}}if(Zn=0,Ke--,t)throw e}}function mo(e){if(Ke>0)return e();po=++kf,Ke++;try{return e()}finally{Yn()}}var en,V=void 0;function nn(e){
var t=V,n=en;V=void 0,en=void 0;try{return e()}finally{V=t,en=n}}var tn=void 0,Ke=0,Zn=0,kf=0,po=0,Xn=void 0,Vn=0;function vs(e){if(V!==void 0){var t=e.n;if(t===
void 0||t.t!==V)return t={i:0,S:e,p:V.s,n:void 0,t:V,e:void 0,x:void 0,r:t},V.s!==void 0&&(V.s.n=t),V.s=t,e.n=t,32&V.f&&e.S(t),t;if(t.i===-1)return t.i=0,t.n!==
void 0&&(t.n.p=t.p,t.p!==void 0&&(t.p.n=t.n),t.p=V.s,t.n=void 0,V.s.n=t,V.s=t),t}}function ae(e,t){this.v=e,this.i=0,this.n=void 0,this.t=void 0,this.l=0,this.W=
t?.watched,this.Z=t?.unwatched,this.name=t?.name}ae.prototype.brand=vf;ae.prototype.h=function(){return!0};ae.prototype.S=function(e){var t=this,n=this.t;n!==e&&
e.e===void 0&&(e.x=n,this.t=e,n!==void 0?n.e=e:nn(function(){var r;(r=t.W)==null||r.call(t)}))};ae.prototype.U=function(e){var t=this;if(this.t!==void 0){var n=e.
e,r=e.x;n!==void 0&&(n.x=r,e.e=void 0),r!==void 0&&(r.e=n,e.x=void 0),e===this.t&&(this.t=r,r===void 0&&nn(function(){var o;(o=t.Z)==null||o.call(t)}))}};ae.prototype.
subscribe=function(e){var t=this;return Ge(function(){var n=t.value;nn(function(){return e(n)})},{name:"sub"})};ae.prototype.valueOf=function(){return this.value};
ae.prototype.toString=function(){return this.value+""};ae.prototype.toJSON=function(){return this.value};ae.prototype.peek=function(){var e=this;return nn(function(){
return e.value})};Object.defineProperty(ae.prototype,"value",{get:function(){var e=vs(this);return e!==void 0&&(e.i=this.i),this.v},set:function(e){if(e!==this.
v){if(Zn>100)throw new Error("Cycle detected");(function(n){Ke!==0&&Zn===0&&n.l!==po&&(n.l=po,Xn={S:n,v:n.v,i:n.i,o:Xn})})(this),this.v=e,this.i++,Vn++,Ke++;try{
for(var t=this.t;t!==void 0;t=t.x)t.t.N()}finally{Yn()}}}});function A(e,t){return new ae(e,t)}function ks(e){for(var t=e.s;t!==void 0;t=t.n)if(t.S.i!==t.i||!t.
S.h()||t.S.i!==t.i)return!0;return!1}function ys(e){for(var t=e.s;t!==void 0;t=t.n){var n=t.S.n;if(n!==void 0&&(t.r=n),t.S.n=t,t.i=-1,t.n===void 0){e.s=t;break}}}
function ws(e){for(var t=e.s,n=void 0;t!==void 0;){var r=t.p;t.i===-1?(t.S.U(t),r!==void 0&&(r.n=t.n),t.n!==void 0&&(t.n.p=r)):n=t,t.S.n=t.r,t.r!==void 0&&(t.r=
void 0),t=r}e.s=n}function dt(e,t){ae.call(this,void 0,t),this.x=e,this.s=void 0,this.g=Vn-1,this.f=4}dt.prototype=new ae;dt.prototype.h=function(){if(this.f&=-3,
1&this.f)return!1;if((36&this.f)==32||(this.f&=-5,this.g===Vn))return!0;if(this.g=Vn,this.f|=1,this.i>0&&!ks(this))return this.f&=-2,!0;var e=V;try{ys(this),V=this;
var t=this.x();(16&this.f||this.v!==t||this.i===0)&&(this.v=t,this.f&=-17,this.i++)}catch(n){this.v=n,this.f|=16,this.i++}return V=e,ws(this),this.f&=-2,!0};dt.
prototype.S=function(e){if(this.t===void 0){this.f|=36;for(var t=this.s;t!==void 0;t=t.n)t.S.S(t)}ae.prototype.S.call(this,e)};dt.prototype.U=function(e){if(this.
t!==void 0&&(ae.prototype.U.call(this,e),this.t===void 0)){this.f&=-33;for(var t=this.s;t!==void 0;t=t.n)t.S.U(t)}};dt.prototype.N=function(){if(!(2&this.f)){this.
f|=6;for(var e=this.t;e!==void 0;e=e.x)e.t.N()}};Object.defineProperty(dt.prototype,"value",{get:function(){if(1&this.f)throw new Error("Cycle detected");var e=vs(
this);if(this.h(),e!==void 0&&(e.i=this.i),16&this.f)throw this.v;return this.v}});function Re(e,t){return new dt(e,t)}function xs(e){var t=e.j;if(e.j=void 0,typeof t==
"function"){Ke++;var n=V;V=void 0;try{t()}catch(r){throw e.f&=-2,e.f|=8,go(e),r}finally{V=n,Yn()}}}function go(e){for(var t=e.s;t!==void 0;t=t.n)t.S.U(t);e.x=void 0,
e.s=void 0,xs(e)}function yf(e){if(V!==this)throw new Error("Out-of-order effect");ws(this),V=e,this.f&=-2;try{8&this.f&&go(this)}finally{Yn()}}function St(e,t){
this.x=e,this.j=void 0,this.s=void 0,this.u=void 0,this.f=32,this.name=t?.name,en&&en.push(this)}St.prototype.c=function(){var e=this.S();try{if(8&this.f||this.
x===void 0)return;var t=this.x();typeof t=="function"&&(this.j=t)}finally{e()}};St.prototype.S=function(){if(1&this.f)throw new Error("Cycle detected");this.f|=
1,this.f&=-9,xs(this),ys(this),Ke++;var e=V;return V=this,yf.bind(this,e)};St.prototype.N=function(){2&this.f||(this.f|=2,this.u=tn,tn=this)};St.prototype.d=function(){
this.f|=8,1&this.f||go(this)};St.prototype.dispose=function(){this.d()};function Ge(e,t){var n=new St(e,t);try{n.c()}catch(o){throw n.d(),o}var r=n.d.bind(n);return r[Symbol.
dispose]=r,r}var Es,er,Qn,wf=typeof window<"u"&&!!window.__PREACT_SIGNALS_DEVTOOLS__;var Cs=[];Ge(function(){Es=this.N})();function $t(e,t){J[e]=t.bind(null,J[e]||function(){})}function rn(e){if(Qn){var t=Qn;Qn=void 0,t()}Qn=e&&e.S()}function Rs(e){
var t=this,n=e.data,r=Q(n);r.name="ReactiveDom",r.value=n;var o=Dt(function(){for(var a=t,l=t.__v;l=l.__;)if(l.__c){l.__c.__$f|=4;break}var c=Re(function(){var d=r.
value.value;return d===0?0:d===!0?"":d||""}),u=Re(function(){return!Array.isArray(c.value)&&!eo(c.value)}),f=Ge(function(){if(this.N=As,u.value){var d=c.value;a.
__v&&a.__v.__e&&a.__v.__e.nodeType===3&&(a.__v.__e.data=d)}}),m=t.__$u.d;return t.__$u.d=function(){f(),m.call(this)},[u,c]},[]),i=o[0],s=o[1];return i.value?s.
peek():s.value}Rs.displayName="ReactiveTextNode";Object.defineProperties(ae.prototype,{constructor:{configurable:!0,value:Gn(ut,null).constructor},type:{configurable:!0,
value:Rs},props:{configurable:!0,get:function(){var e=this;return{data:{get value(){return e.value}}}}},__b:{configurable:!0,value:1}});$t("__b",function(e,t){if(rn(),
er=void 0,typeof t.type=="string"){var n,r=t.props;for(var o in r)if(o!=="children"){var i=r[o];i instanceof ae&&(n||(t.__np=n={}),n[o]=i,r[o]=i.peek())}}e(t)});
$t("__r",function(e,t){if(e(t),t.type!==ut){rn();var n,r=t.__c;r&&(r.__$f&=-2,(n=r.__$u)===void 0&&(r.__$u=n=(function(o,i){var s;return Ge(function(){s=this},{
name:i}),s.c=o,s})((function(o){return function(){var i;wf&&((i=this.y)==null||i.call(this)),o.__$f|=1,o.setState({})}})(r),typeof t.type=="function"?t.type.displayName||
t.type.name:""))),er=r,rn(n)}});$t("__e",function(e,t,n,r){rn(),er=void 0,e(t,n,r)});$t("diffed",function(e,t){rn(),er=void 0;var n;if(typeof t.type=="string"&&
(n=t.__e)){var r=t.__np,o=t.props,i=n.U;if(i)for(var s in i){var a=i[s];a===void 0||r&&s in r||(a.d(),i[s]=void 0)}if(r){i||(i={},n.U=i);for(var l in r){var c=i[l],
u=r[l];c===void 0?(c=xf(n,l,u,o),i[l]=c):c.o(u,o)}}}e(t)});function xf(e,t,n,r){var o=t in e&&e.ownerSVGElement===void 0,i=A(n);return{o:function(s,a){i.value=s,
r=a},d:Ge(function(){this.N=As;var s=i.value.value;r[t]!==s&&(r[t]=s,o?e[t]=s:s!=null&&(s!==!1||t[4]==="-")?e.setAttribute(t,s):e.removeAttribute(t))})}}$t("unm\
ount",function(e,t){if(typeof t.type=="string"){var n=t.__e;if(n){var r=n.U;if(r){n.U=void 0;for(var o in r){var i=r[o];i&&i.d()}}}var s=t.__np;if(s){var a=t.props;
for(var l in s)a[l]=s[l]}t.__np=void 0}else{var c=t.__c;if(c){c.__$f|=8;var u=c.__$u;u&&(c.__$u=void 0,u.d())}}e(t)});$t("__h",function(e,t,n,r){r<3&&(t.__$f|=2),
e(t,n,r)});At.prototype.shouldComponentUpdate=function(e,t){if(this.__R)return!0;var n=this.__$u,r=n&&n.s!==void 0;for(var o in t)return!0;if(this.__f||typeof this.
u=="boolean"&&this.u===!0){var i=2&this.__$f;if(!(r||i||4&this.__$f)||1&this.__$f)return!0}else if(!(r||4&this.__$f)||3&this.__$f)return!0;for(var s in e)if(s!==
"__source"&&e[s]!==this.props[s])return!0;for(var a in this.props)if(!(a in e))return!0;return!1};function Q(e,t){return Dt(function(){return A(e,t)},[])}var Ef=function(e){queueMicrotask(function(){queueMicrotask(e)})};function Cf(){mo(function(){for(var e;e=Cs.shift();)Es.call(e)})}function As(){Cs.push(this)===1&&(J.requestAnimationFrame||Ef)(Cf)}var vo=(e,t)=>t.some(n=>e instanceof n),Ds,Ss;function Rf(){return Ds||(Ds=[IDBIndex,IDBObjectStore,IDBCursor,IDBDatabase,IDBTransaction])}function Af(){return Ss||
(Ss=["advance","continue","continuePrimaryKey"].map(e=>IDBCursor.prototype[e]))}var ko=new WeakMap,_o=new WeakMap,tr=new WeakMap;function Df(e){let t=new Promise(
(n,r)=>{let o=()=>{e.removeEventListener("success",i),e.removeEventListener("error",s)},i=()=>{n(ht(e.result)),o()},s=()=>{r(e.error),o()};e.addEventListener("s\
uccess",i),e.addEventListener("error",s)});return tr.set(t,e),t}function Sf(e){if(ko.has(e))return;let t=new Promise((n,r)=>{let o=()=>{e.removeEventListener("c\
omplete",i),e.removeEventListener("error",s),e.removeEventListener("abort",s)},i=()=>{n(),o()},s=()=>{r(e.error||new DOMException("AbortError","AbortError")),o()};
e.addEventListener("complete",i),e.addEventListener("error",s),e.addEventListener("abort",s)});ko.set(e,t)}var yo={get(e,t,n){if(e instanceof IDBTransaction){if(t===
"done")return ko.get(e);if(t==="store")return n.objectStoreNames[1]?void 0:n.objectStore(n.objectStoreNames[0])}return ht(e[t])},set(e,t,n){return e[t]=n,!0},has(e,t){
return e instanceof IDBTransaction&&(t==="done"||t==="store")?!0:t in e}};function Ns(e){yo=e(yo)}function $f(e){return Af().includes(e)?function(...t){return e.
apply(wo(this),t),ht(this.request)}:function(...t){return ht(e.apply(wo(this),t))}}function Tf(e){return typeof e=="function"?$f(e):(e instanceof IDBTransaction&&
Sf(e),vo(e,Rf())?new Proxy(e,yo):e)}function ht(e){if(e instanceof IDBRequest)return Df(e);if(_o.has(e))return _o.get(e);let t=Tf(e);return Object.is(t,e)||(_o.
set(e,t),tr.set(t,e)),t}var wo=e=>tr.get(e);function Is(e,t,{blocked:n,upgrade:r,blocking:o,terminated:i}={}){let s=indexedDB.open(e,t),a=ht(s);return r&&s.addEventListener(
"upgradeneeded",l=>{r(ht(s.result),l.oldVersion,l.newVersion,ht(s.transaction),l)}),n&&s.addEventListener("blocked",l=>n(l.oldVersion,l.newVersion,l)),a.then(l=>{
i&&l.addEventListener("close",()=>i()),o&&l.addEventListener("versionchange",c=>o(c.oldVersion,c.newVersion,c))}).catch(()=>{}),a}var Mf=["get","getKey","getAll","getAllKeys","count"],Nf=["put","add","delete","clear"],bo={};function $s(e,t){if(!(e instanceof IDBDatabase&&!(t in e)&&typeof t==
"string"))return;if(bo[t])return bo[t];let n=t.replace(/FromIndex$/,""),r=t!==n,o=Nf.includes(n);if(!(n in(r?IDBIndex:IDBObjectStore).prototype)||!(o||Mf.includes(
n)))return;let i=async function(s,...a){let l=this.transaction(s,o?"readwrite":"readonly"),c=l.store;return r&&(c=c.index(a.shift())),(await Promise.all([c[n](...a),
o&&l.done]))[0]};return bo[t]=i}Ns(e=>({...e,get:(t,n,r)=>$s(t,n)||e.get(t,n,r),has:(t,n)=>!!$s(t,n)||e.has(t,n)}));var If=["advance","continue","continuePrimar\
yKey"],Ts={},xo=new WeakMap,Fs=new WeakMap,Ff={get(e,t){if(!If.includes(t))return e[t];let n=Ts[t];return n||(n=Ts[t]=function(...r){xo.set(this,Fs.get(this)[t](
...r))}),n}};async function*Of(...e){let t=this;if(t instanceof IDBCursor||(t=await t.openCursor(...e)),!t)return;t=t;let n=new Proxy(t,Ff);for(Fs.set(n,t),tr.set(
n,wo(t));t;)yield n,t=await(xo.get(n)||t.continue()),xo.delete(n)}function Ms(e,t){return t===Symbol.asyncIterator&&vo(e,[IDBIndex,IDBObjectStore,IDBCursor])||t===
"iterate"&&vo(e,[IDBIndex,IDBObjectStore])}Ns(e=>({...e,get(t,n,r){return Ms(t,n)?Of:e.get(t,n,r)},has(t,n){return Ms(t,n)||e.has(t,n)}}));var Lf=new Set(["user","assistant","tool"]),nr="glmkit-chats",Eo=64*2**20,Co=e=>typeof e?.id=="string"&&typeof e.conversation=="string"&&(e.parent===null||typeof e.
parent=="string")&&Lf.has(e.role)&&typeof e.content=="string"&&Number.isFinite(e.created)&&(e.tool_calls===void 0||Array.isArray(e.tool_calls)&&e.tool_calls.every(
t=>typeof t?.name=="string"&&typeof t.arguments=="string")),Ro=e=>typeof e?.id=="string"&&typeof e.title=="string"&&Number.isFinite(e.created)&&Number.isFinite(
e.updated)&&(e.leaf===null||typeof e.leaf=="string")&&(e.system===void 0||typeof e.system=="string"),Os=e=>JSON.stringify({format:nr,version:1,chats:e},null,1);
function Ls(e,t){let n=JSON.parse(e);if(n?.format!==nr||n.version!==1||!Array.isArray(n.chats))throw new Error(nr);return n.chats.map(r=>{if(!Ro(r?.conversation)||
!Array.isArray(r.messages)||!r.messages.every(Co))throw new Error(nr);let o=new Map(r.messages.map(s=>[s.id,t()])),i=t();return{conversation:{...r.conversation,
id:i,leaf:o.get(r.conversation.leaf)??null},messages:r.messages.map(s=>({...s,id:o.get(s.id),conversation:i,parent:o.get(s.parent)??null}))}})}var Bs=null,Bf;function on(){return Bs??=Is("glmkit",1,{upgrade(e){e.createObjectStore("conversations",{keyPath:"id"}),e.createObjectStore("messages",{keyPath:"\
id"}).createIndex("conversation","conversation")},blocking:(e,t,n)=>n.target.close()}),Bs}var rr=new BroadcastChannel("glmkit"),Ps=e=>rr.addEventListener("messa\
ge",t=>e(t.data));async function Ao(){let e=await(await on()).getAll("conversations"),t=e.filter(Ro).sort((n,r)=>r.updated-n.updated);return{conversations:t,damaged:e.
length-t.length}}async function or(e){return(await(await on()).getAllFromIndex("messages","conversation",e)).filter(Co)}async function Qe(e,t=[]){let n=(await on()).
transaction(["conversations","messages"],"readwrite");await Promise.all([n.objectStore("conversations").put(e),...t.map(r=>n.objectStore("messages").put(r)),n.done]),
rr.postMessage(e.id),Bf??=navigator.storage?.persist?.().catch(()=>!1)}async function Us(e){let t=(await on()).transaction(["conversations","messages"],"readwri\
te");await t.objectStore("conversations").delete(e);for await(let n of t.objectStore("messages").index("conversation").iterate(e))await n.delete();await t.done,
rr.postMessage("")}async function js(){let e=(await on()).transaction(["conversations","messages"],"readwrite");await Promise.all([e.objectStore("conversations").
clear(),e.objectStore("messages").clear(),e.done]),rr.postMessage("")}async function Do(){let{conversations:e}=await Ao();return Promise.all(e.map(async t=>({conversation:t,
messages:await or(t.id)})))}function sn(e,t){let n=[],r=new Set;for(let o=t;o!==null&&!r.has(o);){let i=e.get(o);if(!i)break;r.add(o),n.push(i),o=i.parent}return n.reverse()}var So=(e,t)=>[
...e.values()].filter(n=>n.parent===t).sort((n,r)=>n.created-r.created);function zs(e,t){let n=new Set([t]);for(let r=t;;){let o=So(e,r).at(-1);if(!o||n.has(o.id))
return r;n.add(o.id),r=o.id}}var Ws={skip:"Skip to the content",menu:"Menu",close:"Close",views:"Views",model:"Model","view.chat":"Chat","view.fill":"Fill blanks","view.inside":"Look inside",
"view.classify":"Classify","view.server":"Server",preferences:"Preferences",language:"Language",theme:"Colors","theme.system":"As the system","theme.light":"Lig\
ht","theme.dark":"Dark",key:"API key","key.use":"Use","key.enter":"Enter a key","key.help":"Kept until this tab is closed, and sent only to this server.",history:"\
Conversations","history.help":"Conversations are kept in this browser only.","history.size":"They take {size} MB.","history.damaged":"Damaged records that were \
passed over: {n}.","history.delete":"Delete all","history.deleted":"All conversations were deleted.",export:"Export",import:"Import","import.done":"Conversation\
s imported: {n}","import.failed":"The file could not be imported: {message}","import.large":"larger than {size} MB",undo:"Undo",rename:"Rename",delete:"Delete",
copy:"Copy",copied:"Copied","copy.failed":"This browser did not allow copying","copy.text":"Filled text","copy.markers":"Text with blanks","copy.json":"JSON",edit:"\
Edit","edit.send":"Send","edit.keep":"Keep",cancel:"Cancel",send:"Send",stop:"Stop",continue:"Continue",reset:"Back to the defaults",default:"default",examples:"\
Examples","chat.new":"New conversation","chat.untitled":"New conversation","chat.copy":"copy","chat.deleted":"Deleted: {title}","chat.message":"Message","chat.p\
laceholder":"Message {model}","chat.reading":"Reading the prompt","chat.writing":"Writing an answer","chat.finished":"The answer is finished, {n} characters","c\
hat.failed":"The answer failed","chat.welcome":"What would you like to talk about?","chat.example1":"Explain in three sentences how blank infilling trains a lan\
guage model.","chat.example2":"Write a Python function that merges two sorted lists.","chat.example3":"Translate into Chinese: A journey of a thousand miles beg\
ins with a single step.","chat.cannot":"{model} was not trained to chat.","chat.earlier":"Show earlier messages ({n})","chat.end":"Jump to the end",transcript:"\
Conversation","role.user":"You","role.assistant":"Model","role.tool":"Tool result",branches:"Versions","branch.earlier":"Earlier version","branch.later":"Later \
version","branch.out":"Continue in a new conversation",regenerate:"Answer again","finish.stopped":"Stopped.","finish.cut":"The answer was cut off.","finish.leng\
th":"The length limit was reached.","finish.edited":"Edited.",speed:"{n} tokens/s",tokens:"{n} tokens","context.used":"{used} of {all} in context",settings:"Set\
tings",system:"System prompt","system.hint":"How the model should behave",tools:"Tools","tools.list":"A JSON list of tools is expected.","tool.call":"Calls","to\
ol.result":"Result of {name}","tool.send":"Give the results","sampling.temperature":"Temperature","sampling.top_p":"Top p","sampling.top_k":"Top k","sampling.mi\
n_p":"Min p","sampling.max_tokens":"Most tokens","sampling.repetition_penalty":"Repetition penalty","sampling.presence_penalty":"Presence penalty","sampling.fre\
quency_penalty":"Frequency penalty","sampling.seed":"Seed","sampling.stop":"Stop texts, one a line","fill.lead":"Write ____ wherever the model should write, or \
click words to make them blanks.","fill.placeholder":"She ate ____ for ____.","fill.text":"Text with blanks","fill.insert":"Insert a blank","fill.pick":"Click w\
ords","fill.words":"Words of the text; choose those to blank","fill.count":"Blanks: {n}","fill.none":"No blanks yet.","fill.lengths":"Lengths of the blanks","fi\
ll.length":"Length of blank {n}","length.":"any length","length.word":"a word","length.phrase":"a phrase","length.sentence":"a sentence","length.paragraph":"a p\
aragraph","fill.alternatives":"Alternatives","fill.beams":"Beam search","fill.fill":"Fill","fill.again":"Fill again","fill.edit":"Edit the text","fill.filling":"\
Filling {n}","fill.done":"Filled: {text}","fill.result":"Filled text","fill.whole":"Whole fillings","fill.compare":"Compare with","fill.original":"the original",
"fill.source":"the text with blanks","fill.blank":"Blank {n} of {all}: {text}, {share}, alternatives: {count}","fill.stale":"It was written before another blank\
 changed.","fill.stale.mark":"outdated","fill.stale.count":"Outdated blanks: {n}","fill.empty":"nothing","fill.share":"Bars: share of the texts shown.","fill.de\
tails":"p = {p}, log p = {logp}","fill.unscored":"not scored","fill.own":"Your own words","fill.own.mark":"yours","fill.score":"Score","fill.refill":"Refill thi\
s blank","fill.lock":"Lock","fill.cannot":"{model} does not fill blanks.","fill.running":"Filling the blanks","inside.heat":"Probabilities","inside.layout":"Lay\
out","inside.heat.lead":"How probable each token was, given those before it.","inside.layout.lead":"How a text with blanks is laid out for the model, as in trai\
ning.","inside.placeholder":"The quick brown fox jumps over the lazy dog.","inside.input":"Text","inside.look":"Look","inside.open":"Look inside","inside.layout\
.open":"Show the layout","inside.text":"Look at a text","inside.conversation":"A conversation of {n} messages.","inside.filling":"Text of blank {n}","heat.scale":"\
Scale","heat.absolute":"Fixed scale","heat.relative":"Relative to this text","heat.rank":"Rank","heat.rank0":"1st","heat.rank1":"2nd or 3rd","heat.rank2":"4th o\
r 5th","heat.rank3":"beyond","heat.table":"As a table","heat.summary":"{n} tokens · mean log p {mean} · perplexity {perplexity}","heat.more":"Show the rest ({\
n})","heat.sure":"expected","heat.surprised":"surprising","heat.map":"Tokens by probability","heat.detail":"Token","heat.first":"nothing before it","heat.ids":"\
id {ids}","heat.place":"rank {n}","heat.token":"Token","heat.probability":"Probability",layout:"Serialized layout","layout.explain":"The text comes first with i\
ts blanks masked; then each span, one token after another. The first position says where in the text a token belongs, the second where it stands within its span\
.","layout.explain.one":"Tokens in the order in which the model reads them, with their positions.","layout.index":"Index","layout.token":"Token","layout.positio\
n1":"Position in the text","layout.position2":"Position in the span","layout.target":"Target",order:"Order of the spans","order.at":"at position {at}","order.ex\
plain":"Training writes the spans in a random order, and each sees those before it. This server fills blanks from left to right; look here at what another order\
 would show each span.","order.shuffle":"Shuffle","order.text":"As in the text",mask:"Attention mask","mask.context":"context","mask.span":"span {n}","mask.hidd\
en":"not seen","mask.label":"Attention mask of {n} tokens; the arrow keys move over it","mask.sees":"{row} sees {column}","mask.blind":"{row} does not see {colu\
mn}","mask.part":"{row} see a part of {column}","mask.squares":"{n} tokens are too many for a picture: each square stands for {by} × {by} of them, and is paler \
where only some are seen.","mask.text.prefix":"Tokens of the context see the whole context.","mask.text.causal":"Each token sees those before it.","mask.text.fi\
rst":"Tokens of span {n} see the context and the earlier tokens of span {n}.","mask.text.later":"Tokens of span {n} see the context, all of span {before} and th\
e earlier tokens of span {n}.","classify.lead":"Labels: {labels}","classify.cannot":"{model} has no labels.","classify.text":"Text to classify","classify.second":"\
Second text, where the task has one","classify.run":"Classify","classify.result":"Labels by probability",load:"Load","load.speed":"tokens/s","load.queue":"queue",
"load.cache":"cache","load.speed.long":"Tokens a second, all users","load.running":"Running","load.waiting":"Waiting","load.cache.long":"Cache","load.loading":"\
Loading {model}: {share}","facts.family":"Family","facts.parameters":"Parameters","facts.context":"Context","facts.weights":"Weights","facts.can":"Can","facts.l\
abels":"Labels","facts.adapter":"Adapter of","model.choose":"Use","model.chosen":"In use","error.key":"The server asks for an API key.","error.busy":"{message} \
Try again in {seconds} s.","busy.wait":"{message} Trying again in {seconds} s.","busy.now":"Try now","error.unreachable":"The server cannot be reached. Conversa\
tions kept here can still be read.","error.unexpected":"Something went wrong: {message}","error.full":"The browser's storage is full: export and delete some con\
versations.","error.storage":"The conversation could not be kept: {message}"};var Hs={skip:"跳到内容",menu:"菜单",close:"关闭",views:"视图",model:"模型","view.chat":"对话","view.fill":"填空","view.inside":"看内部","view\
.classify":"分类","view.server":"服务器",preferences:"偏好设置",language:"语言",theme:"配色","theme.system":"跟随系统","theme.light":"浅色","\
theme.dark":"深色",key:"API 密钥","key.use":"使用","key.enter":"输入密钥","key.help":"仅保留到关闭此标签页，只发送给本服务器。",history:"\
对话记录","history.help":"对话只保存在此浏览器中。","history.size":"占用 {size} MB。","history.damaged":"已跳过的损坏记录：{n}。","\
history.delete":"全部删除","history.deleted":"已删除全部对话。",export:"导出",import:"导入","import.done":"已导入对话：{n}","import.failed":"\
无法导入文件：{message}","import.large":"大于 {size} MB",undo:"撤销",rename:"重命名",delete:"删除",copy:"复制",copied:"已复制","copy.failed":"\
浏览器不允许复制","copy.text":"填好的文本","copy.markers":"带空的文本","copy.json":"JSON",edit:"编辑","edit.send":"发送","edit.keep":"保存",
cancel:"取消",send:"发送",stop:"停止",continue:"继续",reset:"恢复默认",default:"默认",examples:"示例","chat.new":"新对话","chat.untitled":"新对\
话","chat.copy":"副本","chat.deleted":"已删除：{title}","chat.message":"消息","chat.placeholder":"给 {model} 发消息","chat.reading":"正在阅读",
"chat.writing":"正在回答","chat.finished":"回答完毕，{n} 个字符","chat.failed":"回答失败","chat.welcome":"想聊点什么？","chat.example1":"用\
三句话解释“填空”如何训练语言模型。","chat.example2":"写一个合并两个有序列表的 Python 函数。","chat.example3":"把这句话译成英文：千里之行，始\
于足下。","chat.cannot":"{model} 没有经过对话训练。","chat.earlier":"显示更早的消息（{n}）","chat.end":"跳到末尾",transcript:"对话",
"role.user":"你","role.assistant":"模型","role.tool":"工具结果",branches:"版本","branch.earlier":"上一个版本","branch.later":"下一个版本","br\
anch.out":"在新对话中继续",regenerate:"重新回答","finish.stopped":"已停止。","finish.cut":"回答被中断。","finish.length":"已达到长度上限。",
"finish.edited":"已编辑。",speed:"{n} 词元/秒",tokens:"{n} 个词元","context.used":"上下文 {used} / {all}",settings:"设置",system:"系统提示","\
system.hint":"希望模型如何表现",tools:"工具","tools.list":"应为工具的 JSON 列表。","tool.call":"调用","tool.result":"{name} 的结果","tool\
.send":"提交结果","sampling.temperature":"温度","sampling.top_p":"Top p","sampling.top_k":"Top k","sampling.min_p":"Min p","sampling.max_tokens":"最多词元",
"sampling.repetition_penalty":"重复惩罚","sampling.presence_penalty":"出现惩罚","sampling.frequency_penalty":"频率惩罚","sampling.seed":"随机种子",
"sampling.stop":"停止文本，每行一个","fill.lead":"在要模型填写处写 ____，或点击词语把它们变成空。","fill.placeholder":"春风又____江南岸，\
明月何时照我还。","fill.text":"带空的文本","fill.insert":"插入空","fill.pick":"点选词语","fill.words":"文本中的词；选择要变成空的词",
"fill.count":"空：{n}","fill.none":"还没有空。","fill.lengths":"空的长度","fill.length":"空 {n} 的长度","length.":"任意长度","length.word":"一\
个词","length.phrase":"一个短语","length.sentence":"一句话","length.paragraph":"一段话","fill.alternatives":"备选","fill.beams":"束搜索","fill.\
fill":"填写","fill.again":"重新填写","fill.edit":"编辑文本","fill.filling":"填法 {n}","fill.done":"已填写：{text}","fill.result":"填好的文本",
"fill.whole":"整体填法","fill.compare":"对比","fill.original":"原文","fill.source":"带空的文本","fill.blank":"第 {n} 个空，共 {all} 个：{text}，{share}，备选 \
{count} 个","fill.stale":"填写之后另一个空改变了。","fill.stale.mark":"已过时","fill.stale.count":"已过时的空：{n}","fill.empty":"空白",
"fill.share":"条形：在所列文本中的占比。","fill.details":"p = {p}，log p = {logp}","fill.unscored":"未评分","fill.own":"你自己的词","fill.\
own.mark":"你的","fill.score":"评分","fill.refill":"重填此空","fill.lock":"锁定","fill.cannot":"{model} 不会填空。","fill.running":"正在填空",
"inside.heat":"概率","inside.layout":"布局","inside.heat.lead":"每个词元在其前文下的概率。","inside.layout.lead":"带空的文本如何排列给模型，与训练时相同。",
"inside.placeholder":"白日依山尽，黄河入海流。","inside.input":"文本","inside.look":"查看","inside.open":"看内部","inside.layout.open":"查看布局",
"inside.text":"查看文本","inside.conversation":"一段 {n} 条消息的对话。","inside.filling":"空 {n} 的文本","heat.scale":"标度","heat.absolute":"\
固定标度","heat.relative":"相对本文","heat.rank":"名次","heat.rank0":"第 1","heat.rank1":"第 2–3","heat.rank2":"第 4–5","heat.rank3":"更后","\
heat.table":"表格","heat.summary":"{n} 个词元 · 平均 log p {mean} · 困惑度 {perplexity}","heat.more":"显示其余（{n}）","heat.sure":"意料之中",
"heat.surprised":"出乎意料","heat.map":"按概率着色的词元","heat.detail":"词元","heat.first":"前面没有内容","heat.ids":"编号 {ids}","heat.p\
lace":"第 {n} 名","heat.token":"词元","heat.probability":"概率",layout:"序列布局","layout.explain":"先是遮住空的文本，然后逐个写出各个空段。第一个位置表示词元属于文本的哪里，第二个位置表示它在空段中的\
次序。","layout.explain.one":"模型读取词元的顺序及其位置。","layout.index":"序号","layout.token":"词元","layout.position1":"文本位置","\
layout.position2":"段内位置","layout.target":"目标",order:"空段的顺序","order.at":"在位置 {at}","order.explain":"训练时各段按随机顺序写出，每段能看到它之前的段。此服务器从左到右填\
空；在这里可以看看换一种顺序时各段能看到什么。","order.shuffle":"打乱","order.text":"按原文顺序",mask:"注意力掩码","mask.cont\
ext":"上下文","mask.span":"空段 {n}","mask.hidden":"看不到","mask.label":"{n} 个词元的注意力掩码；用方向键移动","mask.sees":"{row} 能看到 {\
column}","mask.blind":"{row} 看不到 {column}","mask.part":"{row} 能看到 {column} 的一部分","mask.squares":"{n} 个词元太多，无法逐个画出：每个方格代表 {by} × {by} 个，只有一部分\
可见时颜色较浅。","mask.text.prefix":"上下文的词元能看到全部上下文。","mask.text.causal":"每个词元能看到它前面的词元。","ma\
sk.text.first":"空段 {n} 的词元能看到上下文和空段 {n} 中更早的词元。","mask.text.later":"空段 {n} 的词元能看到上下文、空段 {before} 和空段 {n} 中更早的词元。",
"classify.lead":"标签：{labels}","classify.cannot":"{model} 没有标签。","classify.text":"要分类的文本","classify.second":"第二段文本（如任务需要）",
"classify.run":"分类","classify.result":"按概率排列的标签",load:"负载","load.speed":"词元/秒","load.queue":"队列","load.cache":"缓存","load.s\
peed.long":"每秒词元（所有用户）","load.running":"运行中","load.waiting":"等待中","load.cache.long":"缓存","load.loading":"正在加载 {model}：{share\
}","facts.family":"家族","facts.parameters":"参数量","facts.context":"上下文","facts.weights":"权重","facts.can":"能力","facts.labels":"标签","fac\
ts.adapter":"适配器所属","model.choose":"使用","model.chosen":"使用中","error.key":"服务器需要 API 密钥。","error.busy":"{message} 请在 {seconds\
} 秒后重试。","busy.wait":"{message} {seconds} 秒后自动重试。","busy.now":"立即重试","error.unreachable":"无法连接服务器。保存在此的对话仍可阅读。",
"error.unexpected":"出错了：{message}","error.full":"浏览器存储已满：请导出并删除一些对话。","error.storage":"无法保存对话：{message}"};var jf={en:Ws,zh:Hs},ke=A(document.documentElement.lang.startsWith("zh")?"zh":"en");Ge(()=>{document.documentElement.lang=ke.value==="zh"?"zh-CN":"en"});function Js(e){
ke.value=e,localStorage.setItem("glmkit.language",e)}function h(e,t={}){return(jf[ke.value][e]??e).replace(/\{(\w+)\}/g,(r,o)=>String(t[o]??r))}var le=(e,t)=>new Intl.
NumberFormat(ke.value,t).format(e),_e=e=>le(e,{style:"percent",maximumSignificantDigits:e<.1?2:3});function zf(e){let t="",n=0,r=!1,o=[];function i(s){s===""?(o.length&&e(o.join(`
`)),o=[]):s==="data"?o.push(""):s.startsWith("data:")&&o.push(s.slice(s[5]===" "?6:5))}return{push(s){r&&s!==""&&(r=!1,s[0]===`
`&&(s=s.slice(1))),t+=s;let a=0;for(let l=n;l<t.length;l++){let c=t[l];c!==`
`&&c!=="\r"||(i(t.slice(a,l)),c==="\r"&&(l+1===t.length?r=!0:t[l+1]===`
`&&l++),a=l+1)}if(t=t.slice(a),n=t.length,t.length+o.reduce((l,c)=>l+c.length,0)>1048576)throw new Error("an event is too long")},end(){t!==""&&i(t),t="",i("")}}}
async function*qs(e){let t=[],n=zf(i=>t.push(i)),r=new TextDecoder("utf-8"),o=e.body.getReader();try{for(;;){let{done:i,value:s}=await o.read();n.push(r.decode(
s,{stream:!i})),i&&n.end();let a=t;if(t=[],yield*a,i)return}}finally{o.cancel().catch(()=>{})}}var Wf=8,Tt=A(sessionStorage.getItem("glmkit.key")??""),Mt=A(!1);function Ks(e){Tt.value=e.trim(),sessionStorage.setItem("glmkit.key",Tt.value),Mt.value=!1}var an=class extends Error{constructor(t,n,r=null){
super(t),this.status=n,this.retryAfter=r}},et=A([]);async function Hf(e,t){let n=e.retryAfter,r;try{await new Promise((o,i)=>{r={message:e.message,at:Date.now()+
1e3*n,now:()=>o(void 0),cancel:()=>i(e)},et.value=[...et.value,r],setTimeout(o,1e3*n),t?.addEventListener("abort",()=>i(t.reason))})}finally{et.value=et.value.filter(
o=>o!==r)}}async function Jf(e,t,n){let r={};Tt.value&&(r.authorization=`Bearer ${Tt.value}`),t!==void 0&&(r["content-type"]="application/json");let o=await fetch(
new URL(e,document.baseURI),{method:t===void 0?"GET":"POST",headers:r,body:t===void 0?void 0:JSON.stringify(t),signal:n,cache:"no-store",redirect:"error"});if(o.
ok)return o;o.status===401&&t!==void 0&&(Mt.value=!0);let i=await o.json().catch(()=>null),s=Number(o.headers.get("retry-after")),a=i?.error?.message??`HTTP ${o.
status}`;throw new an(a,o.status,s>0?s:null)}async function Gs(e,t,n){for(;;)try{return await Jf(e,t,n)}catch(r){if(!(r instanceof an&&r.retryAfter!==null&&[429,
503].includes(r.status))||t===void 0)throw r;await Hf(r,n)}}async function Ae(e,t,n){return(await Gs(e,t,n)).json()}async function*ir(e,t,n){let r=await Gs(e,{...t,
stream:!0},n),o=performance.now();for await(let i of qs(r)){if(i.startsWith("[DONE]"))return;let s=JSON.parse(i);if(s.error)throw new an(s.error.message??"error",
200);yield s,performance.now()-o>Wf&&(await new Promise(a=>setTimeout(a)),o=performance.now())}throw new pt}var pt=class extends Error{};var To=["chat","fill","inside","classify","server"],qf=()=>{try{let e=JSON.parse(localStorage.getItem("glmkit.info")??"null");return e?.models.every(t=>typeof t.
id=="string")?e:null}catch{return null}},$e=A(qf()),mt=A(null),cn=A(!0),un=A(!1),Xs=A(localStorage.getItem("glmkit.model")),O=Re(()=>{let e=$e.value?.models??[];
return e.find(({id:t})=>t===Xs.value)??e[0]});function sr(e){Xs.value=e,localStorage.setItem("glmkit.model",e)}var Vs=()=>To.find(e=>location.hash===`#/${e}`),$o=A(
Vs());addEventListener("hashchange",()=>$o.value=Vs());var fn=Re(()=>{if($o.value)return $o.value;let e=O.value;return!e||e.chats?"chat":e.fills_blanks?"fill":e.
labels?"classify":"inside"});function Ze(e){location.hash=`#/${e}`}async function dn(){try{$e.value=await Ae("info"),localStorage.setItem("glmkit.info",JSON.stringify(
$e.value)),cn.value=!0,un.value=!1}catch(e){Ys(e)}}function Ys(e){cn.value=e.status!==void 0,un.value=e.status===401}async function Qs(){for(;;){if(document.visibilityState===
"visible")try{mt.value=await Ae("load"),(!cn.value||un.value||!$e.value)&&await dn()}catch(e){Ys(e),mt.value=null}await new Promise(e=>setTimeout(e,2e3))}}var ln=A(
null),Zs=0;function ye(e,t){clearTimeout(Zs),ln.value={text:e,undo:t},Zs=window.setTimeout(()=>ln.value=null,t?9e3:5e3)}var Ee=A("");function Le(e){return e?.status===
401?h("error.key"):e?.retryAfter?h("error.busy",{seconds:e.retryAfter,message:e.message}):e?.status!==void 0?e.message:e instanceof TypeError?h("error.unreachab\
le"):h("error.unexpected",{message:String(e?.message??e)})}var hn=A([]),ar=A(0),j=A(Mo()),De=A(new Map),gt=Re(()=>sn(De.value,j.value.leaf));function Pe(){return[...crypto.getRandomValues(new Uint8Array(12))].map(e=>e.toString(
16).padStart(2,"0")).join("")}function Mo(){let e=Date.now();return{id:Pe(),title:"",created:e,updated:e,leaf:null,system:""}}async function Be(){try{let e=await Ao();
hn.value=e.conversations,ar.value=e.damaged}catch(e){Io(e)}}function ea(){Be(),Ps(async e=>{await Be(),e===j.value.id&&!de.value&&await No(e)})}var de=A(null);async function No(e){
let t=hn.value.find(r=>r.id===e);if(!t)return;let n=await or(e);De.value=new Map(n.map(r=>[r.id,r])),j.value=t}function pn(){de.value?.stop(),j.value=Mo(),De.value=
new Map}function tt(e,t=j.value.leaf){let n=new Map(De.value);for(let i of e)n.set(i.id,i);De.value=n;let r=e.find(i=>i.role==="user"),o=j.value.title||(r?r.content.
replace(/\s+/g," ").trim().slice(0,60):"");j.value={...j.value,leaf:t,title:o,updated:Date.now()},Nt(e)}async function Nt(e=[]){try{await Qe(j.value,e),await Be()}catch(t){
Io(t)}}async function ta(e){let t=hn.value.find(({id:n})=>n===e.conversation);t&&await Qe(t,[e]).catch(Io)}function na(e){j.value={...j.value,leaf:zs(De.value,e)},
Nt()}function ra(e){let t=j.value,n={...Mo(),title:`${t.title} · ${h("chat.copy")}`,system:t.system},r=null,o=sn(De.value,e.id).map(i=>{let s={...i,id:Pe(),conversation:n.
id,parent:r};return r=s.id,s});De.value=new Map,j.value=n,tt(o,r)}async function oa(e){let t=await or(e.id);await Us(e.id),e.id===j.value.id&&pn(),await Be(),ye(
h("chat.deleted",{title:e.title}),async()=>{await Qe(e,t),await Be()})}async function ia(e,t){e.id===j.value.id&&(j.value={...j.value,title:t}),await Qe({...e,title:t}),
await Be()}function Io(e){ye(h(e?.name==="QuotaExceededError"?"error.full":"error.storage",{message:String(e?.message??e)}))}function mn(e,t,n="application/json"){let r=document.createElement("a");r.href=URL.createObjectURL(t instanceof Blob?t:new Blob([t],{type:n})),r.download=e,r.click(),
setTimeout(()=>URL.revokeObjectURL(r.href),1e4)}async function It(e){if(window.isSecureContext&&navigator.clipboard)return navigator.clipboard.writeText(e).then(
()=>!0,()=>!1);let t=document.createElement("textarea");t.value=e,t.className="off-screen",document.body.append(t),t.select();let n=document.execCommand("copy");
return t.remove(),n}var Kf={menu:"M4 7h16M4 12h16M4 17h16",close:"M6 6l12 12M18 6L6 18",plus:"M12 5v14M5 12h14",send:"M12 19V5M6 11l6-6 6 6",stop:"M7 7h10v10H7z",copy:"M9 9h10v11H9\
zM5 15V4h10",edit:"M4 20h4L19 9l-4-4L4 16z",again:"M20 11a8 8 0 1 0-2 6M20 5v6h-6",trash:"M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",left:"M14 6l-6 6 6 6",right:"M10 6\
l6 6-6 6",down:"M12 5v14M6 13l6 6 6-6",sliders:"M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5",branch:"M7 4v16M7 14c6 0 10-2 10-8M14.5 6.5L17 4l2.5 2.5",eye:"M\
2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",lock:"M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7\
 0v3",undo:"M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6",chat:"M4 5h16v11H10l-5 4v-4H4z",fill:"M3 9h7M3 16h18M13.5 6h7v6h-7z",inside:"M5 20V10M12 20V4M19 20v-7",classify:"\
M4 6h10M4 12h16M4 18h6",server:"M4 5h16v6H4zM4 14h16v5H4zM7.5 8h.01M7.5 16.500h.01"},Ft=({name:e})=>g`
  <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
    <path
      d=${Kf[e]}
      fill="none"
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
`,Y=({icon:e,label:t,...n})=>g`
  <button type="button" class="quiet" aria-label=${t} title=${t} ...${n}><${Ft} name=${e} /></button>
`;var ue=e=>e.isComposing||e.keyCode===229,sa=()=>matchMedia("(pointer: coarse)").matches;var aa=[["temperature",0,2,.05],["top_p",.01,1,.01],["top_k",0,void 0,1],["min_p",0,1,.01],["max_tokens",1,void 0,1],["repetition_penalty",.05,2,.05],["presence\
_penalty",-2,2,.1],["frequency_penalty",-2,2,.1],["seed",0,void 0,1]],Gf=()=>{try{let e=JSON.parse(localStorage.getItem("glmkit.sampling")??"{}");return e&&typeof e==
"object"?e:{}}catch{return{}}},Ot=A(!1),Ue=A(Gf());function Fo(e,t){Ue.value={...Ue.value,[e]:t},localStorage.setItem("glmkit.sampling",JSON.stringify(Ue.value))}
function Oo(){let e=aa.map(([n])=>[n,String(Ue.value[n]??"").trim()]).filter(([,n])=>n!==""&&Number.isFinite(Number(n))).map(([n,r])=>[n,Number(r)]),t=String(Ue.
value.stop??"").split(`
`).filter(n=>n!=="");return{...Object.fromEntries(e),...t.length?{stop:t}:{}}}function la(){let e=String(Ue.value.tools??"").trim();if(e===""||!O.value?.tools)return{};
try{let t=JSON.parse(e);return Array.isArray(t)?{tools:t}:{error:h("tools.list")}}catch(t){return{error:String(t.message)}}}function ca(){let{tools:e}=la();return e?.
length?{tools:e}:{}}function ua(){if(!Ot.value)return null;let e=j.value.system??"",{error:t}=la();return g`
    <section class="panel" id="settings" aria-label=${h("settings")}>
      <header>
        <h2>${h("settings")}</h2><${Y} icon="close" label=${h("close")} onClick=${()=>Ot.value=!1} />
      </header>
      ${O.value?.system!==!1&&g`
        <div class="field">
          <label for="system">${h("system")}</label>
          <textarea id="system" rows="4" value=${e} placeholder=${h("system.hint")} onInput=${Zf} />
        </div>
      `}
      <div class="numbers">
        ${aa.map(([n,r,o,i])=>g`
            <div class="field">
              <label for=${n}>${h(`sampling.${n}`)}</label>
              <input id=${n} type="number" inputmode="decimal" min=${r} max=${o} step=${i} value=${Ue.value[n]??""}
                placeholder=${h("default")} onInput=${Z(s=>Fo(n,s))} />
            </div>
          `)}
      </div>
      <div class="field">
        <label for="stop">${h("sampling.stop")}</label>
        <textarea
          id="stop"
          rows="2"
          value=${Ue.value.stop??""}
          onInput=${Z(n=>Fo("stop",n))}
        ></textarea>
      </div>
      ${O.value?.tools&&g`
        <div class="field">
          <label for="tools">${h("tools")}</label>
          <textarea
            id="tools"
            class="mono"
            rows="5"
            spellcheck="false"
            value=${Ue.value.tools??""}
            aria-invalid=${t!==void 0}
            placeholder='[{"type": "function", "function": {"name": ...}}]'
            onInput=${Z(n=>Fo("tools",n))}></textarea>
          ${t&&g`<small class="error">${t}</small>`}
        </div>
      `}
      <div class="row"><button type="button" onClick=${Xf}>${h("reset")}</button></div>
    </section>
  `}function Zf(e){j.value={...j.value,system:e.target.value},gt.value.length&&Nt()}function Xf(){Ue.value={},localStorage.removeItem("glmkit.sampling")}var Lt=A("");function Lo({value:e,onInput:t,...n}){let r=oe(null);return ee(()=>{let{current:o}=r;o&&(o.style.height="auto",o.style.height=`${o.scrollHeight}px`)},
[e]),g`<textarea ref=${r} value=${e} onInput=${Z(t)} ...${n}></textarea>`}function fa({onSend:e}){let t=de.value,n=()=>{Lt.value.trim()===""||de.value||(e(Lt.value),
Lt.value="")},r=o=>{ue(o)||(o.key==="Enter"&&!o.shiftKey&&!sa()?(o.preventDefault(),n()):o.key==="Escape"&&de.value?.stop())};return g`
    <form class="composer" onSubmit=${o=>(o.preventDefault(),n())}>
      <${Lo}
        id="message"
        rows="1"
        aria-label=${h("chat.message")}
        placeholder=${h("chat.placeholder",{model:O.value?.id??""})}
        value=${Lt.value}
        onInput=${o=>Lt.value=o}
        onKeyDown=${r}
      />
      <${Y} icon="sliders" label=${h("settings")} aria-expanded=${Ot.value} aria-controls="settings"
        onClick=${()=>Ot.value=!Ot.value} />
      ${t?g`<${Y} icon="stop" label=${h("stop")} class="round stop" onClick=${()=>t.stop()} />`:g`<${Y} icon="send" label=${h("send")} type="submit" class="round" disabled=${Lt.
value.trim()===""} />`}
    </form>
  `}var Vf=48;function da(){let e=oe(null),t=Q(!1),n=Dt(()=>{let r=!0,o=()=>{let{current:s}=e;return!s||s.scrollHeight-s.scrollTop-s.clientHeight<Vf},i=()=>{e.current&&
(e.current.scrollTop=e.current.scrollHeight),t.value=!1};return{toEnd:i,before:()=>{r=!t.value&&o()},after:()=>{r&&i()},onScroll:()=>{t.value=!o()}}},[]);return ee(
()=>{let r=s=>{(s.deltaY<0||s.key==="PageUp"||s.key==="ArrowUp"||s.key==="Home")&&(t.value=!0)},{current:o}=e,i=new ResizeObserver(()=>t.value||n.toEnd());return o&&
i.observe(o),o?.addEventListener("wheel",r,{passive:!0}),o?.addEventListener("keydown",r),()=>{i.disconnect(),o?.removeEventListener("wheel",r),o?.removeEventListener(
"keydown",r)}},[]),{area:e,away:t,follow:n}}var Bo={};Ki(Bo,{decode:()=>gn,encode:()=>nt,format:()=>Bt,parse:()=>_n});var ha={};function Yf(e){let t=ha[e];if(t)return t;t=ha[e]=[];for(let n=0;n<128;n++){let r=String.fromCharCode(n);t.push(r)}for(let n=0;n<e.length;n++){let r=e.
charCodeAt(n);t[r]="%"+("0"+r.toString(16).toUpperCase()).slice(-2)}return t}function lr(e,t){typeof t!="string"&&(t=lr.defaultChars);let n=Yf(t);return e.replace(
/(%[a-f0-9]{2})+/gi,function(r){let o="";for(let i=0,s=r.length;i<s;i+=3){let a=parseInt(r.slice(i+1,i+3),16);if(a<128){o+=n[a];continue}if((a&224)===192&&i+3<s){
let l=parseInt(r.slice(i+4,i+6),16);if((l&192)===128){let c=a<<6&1984|l&63;c<128?o+="��":o+=String.fromCharCode(c),i+=3;continue}}if((a&240)===224&&i+6<s){let l=parseInt(
r.slice(i+4,i+6),16),c=parseInt(r.slice(i+7,i+9),16);if((l&192)===128&&(c&192)===128){let u=a<<12&61440|l<<6&4032|c&63;u<2048||u>=55296&&u<=57343?o+="���":
o+=String.fromCharCode(u),i+=6;continue}}if((a&248)===240&&i+9<s){let l=parseInt(r.slice(i+4,i+6),16),c=parseInt(r.slice(i+7,i+9),16),u=parseInt(r.slice(i+10,i+
12),16);if((l&192)===128&&(c&192)===128&&(u&192)===128){let f=a<<18&1835008|l<<12&258048|c<<6&4032|u&63;f<65536||f>1114111?o+="����":(f-=65536,o+=String.
fromCharCode(55296+(f>>10),56320+(f&1023))),i+=9;continue}}o+="�"}return o})}lr.defaultChars=";/?:@&=+$,#";lr.componentChars="";var gn=lr;var pa={};function Qf(e){let t=pa[e];if(t)return t;t=pa[e]=[];for(let n=0;n<128;n++){let r=String.fromCharCode(n);/^[0-9a-z]$/i.test(r)?t.push(r):t.push("%"+("0"+
n.toString(16).toUpperCase()).slice(-2))}for(let n=0;n<e.length;n++)t[e.charCodeAt(n)]=e[n];return t}function cr(e,t,n){typeof t!="string"&&(n=t,t=cr.defaultChars),
typeof n>"u"&&(n=!0);let r=Qf(t),o="";for(let i=0,s=e.length;i<s;i++){let a=e.charCodeAt(i);if(n&&a===37&&i+2<s&&/^[0-9a-f]{2}$/i.test(e.slice(i+1,i+3))){o+=e.slice(
i,i+3),i+=2;continue}if(a<128){o+=r[a];continue}if(a>=55296&&a<=57343){if(a>=55296&&a<=56319&&i+1<s){let l=e.charCodeAt(i+1);if(l>=56320&&l<=57343){o+=encodeURIComponent(
e[i]+e[i+1]),i++;continue}}o+="%EF%BF%BD";continue}o+=encodeURIComponent(e[i])}return o}cr.defaultChars=";/?:@&=+$,-_.!~*'()#";cr.componentChars="-_.!~*'()";var nt=cr;function Bt(e){let t="";return t+=e.protocol||"",t+=e.slashes?"//":"",t+=e.auth?e.auth+"@":"",e.hostname&&e.hostname.indexOf(":")!==-1?t+="["+e.hostname+"]":t+=
e.hostname||"",t+=e.port?":"+e.port:"",t+=e.pathname||"",t+=e.search||"",t+=e.hash||"",t}function ur(){this.protocol=null,this.slashes=null,this.auth=null,this.port=null,this.hostname=null,this.hash=null,this.search=null,this.pathname=null}var ed=/^([a-z0-9.+-]+:)/i,
td=/:[0-9]*$/,nd=/^(\/\/?(?!\/)[^\?\s]*)(\?[^\s]*)?$/,rd=["<",">",'"',"`"," ","\r",`
`,"	"],od=["{","}","|","\\","^","`"].concat(rd),id=["'"].concat(od),ma=["%","/","?",";","#"].concat(id),ga=["/","?","#"],sd=255,_a=/^[+a-z0-9A-Z_-]{0,63}$/,ad=/^([+a-z0-9A-Z_-]{0,63})(.*)$/,
ba={javascript:!0,"javascript:":!0},va={http:!0,https:!0,ftp:!0,gopher:!0,file:!0,"http:":!0,"https:":!0,"ftp:":!0,"gopher:":!0,"file:":!0};function ld(e,t){if(e&&
e instanceof ur)return e;let n=new ur;return n.parse(e,t),n}ur.prototype.parse=function(e,t){let n,r,o,i=e;if(i=i.trim(),!t&&e.split("#").length===1){let c=nd.exec(
i);if(c)return this.pathname=c[1],c[2]&&(this.search=c[2]),this}let s=ed.exec(i);if(s&&(s=s[0],n=s.toLowerCase(),this.protocol=s,i=i.substr(s.length)),(t||s||i.
match(/^\/\/[^@\/]+@[^@\/]+/))&&(o=i.substr(0,2)==="//",o&&!(s&&ba[s])&&(i=i.substr(2),this.slashes=!0)),!ba[s]&&(o||s&&!va[s])){let c=-1;for(let p=0;p<ga.length;p++)
r=i.indexOf(ga[p]),r!==-1&&(c===-1||r<c)&&(c=r);let u,f;c===-1?f=i.lastIndexOf("@"):f=i.lastIndexOf("@",c),f!==-1&&(u=i.slice(0,f),i=i.slice(f+1),this.auth=u),c=
-1;for(let p=0;p<ma.length;p++)r=i.indexOf(ma[p]),r!==-1&&(c===-1||r<c)&&(c=r);c===-1&&(c=i.length),i[c-1]===":"&&c--;let m=i.slice(0,c);i=i.slice(c),this.parseHost(
m),this.hostname=this.hostname||"";let d=this.hostname[0]==="["&&this.hostname[this.hostname.length-1]==="]";if(!d){let p=this.hostname.split(/\./);for(let _=0,
k=p.length;_<k;_++){let v=p[_];if(v&&!v.match(_a)){let b="";for(let w=0,y=v.length;w<y;w++)v.charCodeAt(w)>127?b+="x":b+=v[w];if(!b.match(_a)){let w=p.slice(0,_),
y=p.slice(_+1),x=v.match(ad);x&&(w.push(x[1]),y.unshift(x[2])),y.length&&(i=y.join(".")+i),this.hostname=w.join(".");break}}}}this.hostname.length>sd&&(this.hostname=
""),d&&(this.hostname=this.hostname.substr(1,this.hostname.length-2))}let a=i.indexOf("#");a!==-1&&(this.hash=i.substr(a),i=i.slice(0,a));let l=i.indexOf("?");return l!==
-1&&(this.search=i.substr(l),i=i.slice(0,l)),i&&(this.pathname=i),va[n]&&this.hostname&&!this.pathname&&(this.pathname=""),this};ur.prototype.parseHost=function(e){
let t=td.exec(e);t&&(t=t[0],t!==":"&&(this.port=t.substr(1)),e=e.substr(0,e.length-t.length)),e&&(this.hostname=e)};var _n=ld;var jo={};Ki(jo,{Any:()=>cd,Cc:()=>ud,Cf:()=>fd,P:()=>Po,S:()=>Uo,Z:()=>dd});var cd=/[\0-\uD7FF\uE000-\uFFFF]|[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?:[^\uD800-\uDBFF]|^)[\uDC00-\uDFFF]/,
ud=/[\0-\x1F\x7F-\x9F]/,fd=/[\xAD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF\uFFF9-\uFFFB]|\uD804[\uDCBD\uDCCD]|\uD80D[\uDC30-\uDC3F]|\uD82F[\uDCA0-\uDCA3]|\uD834[\uDD73-\uDD7A]|\uDB40[\uDC01\uDC20-\uDC7F]/,
Po=/[!-#%-\*,-\/:;\?@\[-\]_\{\}\xA1\xA7\xAB\xB6\xB7\xBB\xBF\u037E\u0387\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05C6\u05F3\u05F4\u0609\u060A\u060C\u060D\u061B\u061D-\u061F\u066A-\u066D\u06D4\u0700-\u070D\u07F7-\u07F9\u0830-\u083E\u085E\u0964\u0965\u0970\u09FD\u0A76\u0AF0\u0C77\u0C84\u0DF4\u0E4F\u0E5A\u0E5B\u0F04-\u0F12\u0F14\u0F3A-\u0F3D\u0F85\u0FD0-\u0FD4\u0FD9\u0FDA\u104A-\u104F\u10FB\u1360-\u1368\u1400\u166E\u169B\u169C\u16EB-\u16ED\u1735\u1736\u17D4-\u17D6\u17D8-\u17DA\u1800-\u180A\u1944\u1945\u1A1E\u1A1F\u1AA0-\u1AA6\u1AA8-\u1AAD\u1B4E\u1B4F\u1B5A-\u1B60\u1B7D-\u1B7F\u1BFC-\u1BFF\u1C3B-\u1C3F\u1C7E\u1C7F\u1CC0-\u1CC7\u1CD3\u2010-\u2027\u2030-\u2043\u2045-\u2051\u2053-\u205E\u207D\u207E\u208D\u208E\u2308-\u230B\u2329\u232A\u2768-\u2775\u27C5\u27C6\u27E6-\u27EF\u2983-\u2998\u29D8-\u29DB\u29FC\u29FD\u2CF9-\u2CFC\u2CFE\u2CFF\u2D70\u2E00-\u2E2E\u2E30-\u2E4F\u2E52-\u2E5D\u3001-\u3003\u3008-\u3011\u3014-\u301F\u3030\u303D\u30A0\u30FB\uA4FE\uA4FF\uA60D-\uA60F\uA673\uA67E\uA6F2-\uA6F7\uA874-\uA877\uA8CE\uA8CF\uA8F8-\uA8FA\uA8FC\uA92E\uA92F\uA95F\uA9C1-\uA9CD\uA9DE\uA9DF\uAA5C-\uAA5F\uAADE\uAADF\uAAF0\uAAF1\uABEB\uFD3E\uFD3F\uFE10-\uFE19\uFE30-\uFE52\uFE54-\uFE61\uFE63\uFE68\uFE6A\uFE6B\uFF01-\uFF03\uFF05-\uFF0A\uFF0C-\uFF0F\uFF1A\uFF1B\uFF1F\uFF20\uFF3B-\uFF3D\uFF3F\uFF5B\uFF5D\uFF5F-\uFF65]|\uD800[\uDD00-\uDD02\uDF9F\uDFD0]|\uD801\uDD6F|\uD802[\uDC57\uDD1F\uDD3F\uDE50-\uDE58\uDE7F\uDEF0-\uDEF6\uDF39-\uDF3F\uDF99-\uDF9C]|\uD803[\uDD6E\uDEAD\uDED0\uDF55-\uDF59\uDF86-\uDF89]|\uD804[\uDC47-\uDC4D\uDCBB\uDCBC\uDCBE-\uDCC1\uDD40-\uDD43\uDD74\uDD75\uDDC5-\uDDC8\uDDCD\uDDDB\uDDDD-\uDDDF\uDE38-\uDE3D\uDEA9\uDFD4\uDFD5\uDFD7\uDFD8]|\uD805[\uDC4B-\uDC4F\uDC5A\uDC5B\uDC5D\uDCC6\uDDC1-\uDDD7\uDE41-\uDE43\uDE60-\uDE6C\uDEB9\uDF3C-\uDF3E]|\uD806[\uDC3B\uDD44-\uDD46\uDDE2\uDE3F-\uDE46\uDE9A-\uDE9C\uDE9E-\uDEA2\uDF00-\uDF09\uDFE1]|\uD807[\uDC41-\uDC45\uDC70\uDC71\uDEF7\uDEF8\uDF43-\uDF4F\uDFFF]|\uD809[\uDC70-\uDC74]|\uD80B[\uDFF1\uDFF2]|\uD81A[\uDE6E\uDE6F\uDEF5\uDF37-\uDF3B\uDF44]|\uD81B[\uDD6D-\uDD6F\uDE97-\uDE9A\uDFE2]|\uD82F\uDC9F|\uD836[\uDE87-\uDE8B]|\uD839\uDDFF|\uD83A[\uDD5E\uDD5F]/,
Uo=/[\$\+<->\^`\|~\xA2-\xA6\xA8\xA9\xAC\xAE-\xB1\xB4\xB8\xD7\xF7\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02EB\u02ED\u02EF-\u02FF\u0375\u0384\u0385\u03F6\u0482\u058D-\u058F\u0606-\u0608\u060B\u060E\u060F\u06DE\u06E9\u06FD\u06FE\u07F6\u07FE\u07FF\u0888\u09F2\u09F3\u09FA\u09FB\u0AF1\u0B70\u0BF3-\u0BFA\u0C7F\u0D4F\u0D79\u0E3F\u0F01-\u0F03\u0F13\u0F15-\u0F17\u0F1A-\u0F1F\u0F34\u0F36\u0F38\u0FBE-\u0FC5\u0FC7-\u0FCC\u0FCE\u0FCF\u0FD5-\u0FD8\u109E\u109F\u1390-\u1399\u166D\u17DB\u1940\u19DE-\u19FF\u1B61-\u1B6A\u1B74-\u1B7C\u1FBD\u1FBF-\u1FC1\u1FCD-\u1FCF\u1FDD-\u1FDF\u1FED-\u1FEF\u1FFD\u1FFE\u2044\u2052\u207A-\u207C\u208A-\u208C\u20A0-\u20C1\u2100\u2101\u2103-\u2106\u2108\u2109\u2114\u2116-\u2118\u211E-\u2123\u2125\u2127\u2129\u212E\u213A\u213B\u2140-\u2144\u214A-\u214D\u214F\u218A\u218B\u2190-\u2307\u230C-\u2328\u232B-\u2429\u2440-\u244A\u249C-\u24E9\u2500-\u2767\u2794-\u27C4\u27C7-\u27E5\u27F0-\u2982\u2999-\u29D7\u29DC-\u29FB\u29FE-\u2B73\u2B76-\u2BFF\u2CE5-\u2CEA\u2E50\u2E51\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u2FF0-\u2FFF\u3004\u3012\u3013\u3020\u3036\u3037\u303E\u303F\u309B\u309C\u3190\u3191\u3196-\u319F\u31C0-\u31E5\u31EF\u3200-\u321E\u322A-\u3247\u3250\u3260-\u327F\u328A-\u32B0\u32C0-\u33FF\u4DC0-\u4DFF\uA490-\uA4C6\uA700-\uA716\uA720\uA721\uA789\uA78A\uA828-\uA82B\uA836-\uA839\uAA77-\uAA79\uAB5B\uAB6A\uAB6B\uFB29\uFBB2-\uFBD2\uFD40-\uFD4F\uFD90\uFD91\uFDC8-\uFDCF\uFDFC-\uFDFF\uFE62\uFE64-\uFE66\uFE69\uFF04\uFF0B\uFF1C-\uFF1E\uFF3E\uFF40\uFF5C\uFF5E\uFFE0-\uFFE6\uFFE8-\uFFEE\uFFFC\uFFFD]|\uD800[\uDD37-\uDD3F\uDD79-\uDD89\uDD8C-\uDD8E\uDD90-\uDD9C\uDDA0\uDDD0-\uDDFC]|\uD802[\uDC77\uDC78\uDEC8]|\uD803[\uDD8E\uDD8F\uDED1-\uDED8]|\uD805\uDF3F|\uD807[\uDFD5-\uDFF1]|\uD81A[\uDF3C-\uDF3F\uDF45]|\uD82F\uDC9C|\uD833[\uDC00-\uDCEF\uDCFA-\uDCFC\uDD00-\uDEB3\uDEBA-\uDED0\uDEE0-\uDEF0\uDF50-\uDFC3]|\uD834[\uDC00-\uDCF5\uDD00-\uDD26\uDD29-\uDD64\uDD6A-\uDD6C\uDD83\uDD84\uDD8C-\uDDA9\uDDAE-\uDDEA\uDE00-\uDE41\uDE45\uDF00-\uDF56]|\uD835[\uDEC1\uDEDB\uDEFB\uDF15\uDF35\uDF4F\uDF6F\uDF89\uDFA9\uDFC3]|\uD836[\uDC00-\uDDFF\uDE37-\uDE3A\uDE6D-\uDE74\uDE76-\uDE83\uDE85\uDE86]|\uD838[\uDD4F\uDEFF]|\uD83B[\uDCAC\uDCB0\uDD2E\uDEF0\uDEF1]|\uD83C[\uDC00-\uDC2B\uDC30-\uDC93\uDCA0-\uDCAE\uDCB1-\uDCBF\uDCC1-\uDCCF\uDCD1-\uDCF5\uDD0D-\uDDAD\uDDE6-\uDE02\uDE10-\uDE3B\uDE40-\uDE48\uDE50\uDE51\uDE60-\uDE65\uDF00-\uDFFF]|\uD83D[\uDC00-\uDED8\uDEDC-\uDEEC\uDEF0-\uDEFC\uDF00-\uDFD9\uDFE0-\uDFEB\uDFF0]|\uD83E[\uDC00-\uDC0B\uDC10-\uDC47\uDC50-\uDC59\uDC60-\uDC87\uDC90-\uDCAD\uDCB0-\uDCBB\uDCC0\uDCC1\uDCD0-\uDCD8\uDD00-\uDE57\uDE60-\uDE6D\uDE70-\uDE7C\uDE80-\uDE8A\uDE8E-\uDEC6\uDEC8\uDECD-\uDEDC\uDEDF-\uDEEA\uDEEF-\uDEF8\uDF00-\uDF92\uDF94-\uDFEF\uDFFA]/,
dd=/[ \xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]/;var hd=[8364,0,8218,402,8222,8230,8224,8225,710,8240,352,8249,338,0,381,0,0,8216,8217,8220,8221,8226,8211,8212,732,8482,353,8250,339,0,382,376];function pd(e){return e===
0||e>=55296&&e<=57343||e>1114111}function ka(e){return pd(e)?65533:e>=128&&e<=159&&hd[e-128]||e}function ya(e){return e-1>>>0<127||e-160>>>0<55136?String.fromCharCode(e):String.fromCodePoint(ka(e))}var Te=(()=>{let e=new Uint8Array(127),t=0;for(let n=33;n<=126;n++)n!==34&&n!==36&&n!==92&&(e[n]=t++);return e})();function wa(e,t,n,r,o,i){let a=e.length,l=i*90,
c=0,u=()=>{let I=Te[e.charCodeAt(c++)];return I<i?I:I*91-l+Te[e.charCodeAt(c++)]},f=n-r,m=n+o,d=new Int32Array(m);d.fill(-1,r,i),d.fill(-1,i+f,m);let p=new Int32Array(
m),_=new Int32Array(m);function k(I,U){let L=0,z=U,H=U+I;for(;z<H;){let te=Te[e.charCodeAt(c++)];if(te<89)L+=te,d[z++]=L;else if(te===89){let se=Te[e.charCodeAt(
c++)]+2;for(;se--;)d[z++]=++L}else{let se=Te[e.charCodeAt(c++)];L+=89+(se<90?se*91+Te[e.charCodeAt(c++)]:Te[e.charCodeAt(c++)]*8281+Te[e.charCodeAt(c++)]*91+Te[e.
charCodeAt(c++)]),d[z++]=L}}}k(r,0),k(f,i);let v=new Int32Array(o*2),b=0,w=0;function y(I,U){for(let L=0;L<I;L++){let z=U+L,H=u(),te=u();v[w*2]=H,v[w*2+1]=te,w+=
1,p[z]=b;let se=(d[H]<0?_[H]:1)+(d[te]<0?_[te]:1);_[z]=se,b+=se}}y(o-i+r,i+f),y(i-r,r);let x=new Uint16Array(b),C=0;for(let I=0;I<w;I++)for(let U=0;U<2;U++){let L=v[I*
2+U],z=d[L];if(z<0){let H=p[L],te=H+_[L];for(;H<te;)x[C++]=x[H++]}else x[C++]=z}let $=new Uint16Array(t),N=0;for(;c<a;){let I=Te[e.charCodeAt(c++)];I>=i&&(I=I*91-
l+Te[e.charCodeAt(c++)]);let U=d[I];if(U<0){let L=p[I],z=L+_[I];for(;L<z;)$[N++]=x[L++]}else $[N++]=U}return $}var xa=wa("!}.&u%}'&}*'~!6*)%&,~!J~!J~%L~y<~!R,~~%Lu~~#GD~~#|)1#%}^%}2%+#.##%##%}&%##%'#%##&%#%#'%#&#%#&#'#%%#&#%##%#)%''%&%#%#'%#%%#%%}%%%#%#&(23#%%#&-%0%('1#(\
##%#'##+%'*.:1}#%#6-+(%'%%#%%%}#L'2351&('%}&/N'(0(/*-%(%%}#'+&T%7.2}#&%&#%#36/5##%&%%#&#%%#))2%%##%&&'0~!#*+&'%1~!%).'3q?&%'1~!.##%6(~!+%%%(Gw'rT~!E#<nA%#jZ~!H%\
(~!42##~!*31&~!G%U~#)5~#`3~!J~!Z~%]~%Y~%C~!q~!u~#kz~%#~!6'~!D~!U~!?~#T~!c%~!G#'~%7|~!G~!J~!G&~#pb~(Df}#%}*&}#%##%##%##&#-}&'#'&%#.++}%mI,#,@&(}*%}*'%&##&#%##%}&\
0}#.},U},%}+%}&%}#%##&}B%(}(%}+%)})%##%#&}&%##%&}<%}>%#%&}*%}(%}9%}/%})%}*%}*%}?&}&%}3%}&*#%})%#%#)}#&#-#+*%E%%'%'#%}#*V##&##I}#&&##%&%#&&Qf%%))w/0+&%#(#.%-''''\
++++7}>%4'',##1,#%#&%##&#'##&#*#9)%&%}#*}%,#+P(%A&%#'&##wSD',9E00#y#@}(+}&%&>~!#~!X}#*}(&&}(&}(,%}%&#+&}#&}I%#%}%)#(},'%#*}4%%#%}(''}#/##(##),%-##%%)#&}(.}&%#&}\
%%}*&#%},&&}&%}#%*'#%})%}D&}&%}-&}6&#&}-,%}#%})-(~+`~,=?~I9'9%~!,#%})%})%}@%}?%}(~!?~#<~#pP~#BG~#=1#%K+~#?#~%;)~#A~#mF1~#A'~'X%'~#lR~#N~'N~#r~#m#-~#i'?%#'%~#B%#\
#%,%#~#_%#0%~#]732~,w~2+#:&#%&'0%&>%}#>##F+)#%&&#(+_}4&}-%}(&}@&}O7Fdf0@+/v4}&WU##&/0#&'('B#%}.%}'+#%}#%%&#&%#%##+#&#)#6#'#.},%}c%},%#%##%&#&%#&~#>'*-.%##%##%}#\
%%}%'~#)D1}#%*&~#_%%'(~#S2%'.}#~#=##*'*-%}&'%'##&&~'E%.#&~#M4}%%##&'%#~#O1##%&#'+~#<B%##%%'%+~#;#@%}#&%#&&%#(~#H1}'%'##&&~#?A}&'~#D#%32}'&&&&~#[}'(#%}'~#;C})&}%\
%#%~#=&%,3}%'(#%%~#^'#&&)#%'~#Y%-~#d-%'~#^%%&#&&&}#~#b~2t*&'~&(~&@~0%~e~3}%*''0})&}+~!9##-}#%-hD*)1fC#%/&/fB#40~!+#)*4~!+~!K'&:~!/*7~!.#~!H~!L':~%x&~!H#~!*~%1~!\
I#~!+A~#p'~!F~~#-#~,,(~.Z~!V~%;'B'mq-W~!N~%I%#&&#&}#%},%%}'%}+X#%}#&}(%}'%}<%}#%}%%'}'%}:~![)9@~%>~#UA%-%##&~!C%~!-.9:~!1~!-^2/:a~!y,D*J#-5)/4~%23,~#G~!L1~!0X3`\
~!2+~!!0-~&E~!W~!o,>Y&]~%cZx_&~#O*9#A#'#+I'%#)~!0B*-5A+-((F&*M#)(-7-5+'-3a5Vi~!Y~!?+[)%3),ERHm~!+:D,VG.+)?fB%%*(%)'(#&80%1'8`K8?`+'Z#&O&'H5#*9)A%%5&3))0%39+.*7#\
()&&*=4@**L)<'_&*+..;(#*+)./&0#3)%')-8(4ixD(&.}%,('aI:,)%,k2231T)I'#/-W7,/'Q#.'Y24+h')37</31&83##&0#),H(?'&?/1##%#&&#%''-%&&&#(&''&#.-'%#%%(,')*'&#&#'##%(%(#%('\
#&##%%%%('%#%#%%#%#&%##h>w+v<ayvyvcg.uuhKr}g/v|g>u9i[~>g5uI~=RvdwEg;v/g;uk!!TTSx]@RT!U!#!@VBRUU!'UTe-d0c`e&gSdicedFcrdTaqb.kYcAohdYd@a3e+d}dMdtd.aJ#bqcK`dle/e.e\
'dwdPdodddjbEb}ogd^ofdpduc6j?l%d{drdqc)d7bacOdQ%T#Y)X.sR[yH>6Vyv3[xwLu>vo'!*.[yBacahoj>6Rew3[xqdZa#!a&#^(X-[yG>6Vyu3[xvg3sEr|g.u/Ri9db0T#^(Xa)!-[y;>6Vylg4wKs{Jw\
NZt3@3r=c4Z([xlg;wKt!cpq's@v7A'*a(a+!-a#[y<3Dt?3Dt'>6Vym3[xmg9rxsNJwLZt4~?r?db1T#`-!(Xa,!0[yS>6Vz%NuQs.g4wKtnJwNZtS@3r>c4Z([y%g;wKtrdga8!a(!#&T*Y-Xa#!a0<or[yc3D\
tq>6Vz43[y3JwNZtf@3s!Ju}!%Dti:pm3c_%X#tjB5pkd6q!r]u?voC'*-a.a2!0a&a+[yI3DtI3Ds~3DtH>6Vyw3[xx;:s#~<5pKJwNZtE@3r~d`a)!a2T#a.(!+U.X1[yT3Dt`3Dtv>6Vz&3[y&g9rxwzcxstP\
u.<rAJwLZtT~?r@dZa%!a.&^*Za(/Reu[ya>6Vz23[y1g3sEr}wkg{NuQRg{ci(U#5@b`~,cg#U(2WnH5wugcRh7dX#T(Y,a'Ta!!a,[yZ<]mj>6Vz,3[y+Pv#5ReZKu+=,%!H}7ABwkaS?Rh:BcW(X#<]mrj:ub\
v/ARekdg%!(!a.*Ta(Y.X1!#sP>Rl*Dt6[y>>6Vyo3Wf*jOvuumvuRgRJuq*!:9<B@bX~3jVv&v@s@5Re[d/rQt{uAvo&a&a*)a2!,0Wf!3Dt0=Bs'>6Re}3[xy~<5s%JwJZt1~Gs)c;&!#2sJkNuXvzq7rxu,Re\
8dka4!a8(aEZ+a@Y.X1Xa)[yd=Bs(3DtP>6Vz53[y4cX#X&Re:avRe9~<5s&JwJZtQ~Gs*i^rzvdRg+Jv{%!2sbB@bX}kdga,!Za?&^*T1/!a'Dt+[y6>6Vyf3Wf%g/u;s4hGu6?Rh-JvZ,!c%#&RoX54Rivj7uy\
vf8RgTKvZB%*!2sGh<vu5Rgq<=C::9bb~#dZ#T&Ta6Y.X*Dt>[y93Wf)coZ(T,6VyifluvRgC@95@B@bX~/hFu34cC#T,k/unq8w8Q5RkUklwQuzunq8w8Q5Rk8d/rJu?v8w9)-&!a0a;a&aIWejg3sEr/h1s<Dt\
DJvyZqY5aws3Jvy!&Wei~Hr1:au5@Bag>23E~5c:Z&bX};kKv?w&unuVu5Rjc;>bs)#~@:Rh.=ay<a]C;b`}Vd6s/t{uAvoaxa()!a,a7%-a#a2Dt,[yF2Wo[>6Vyt3[xuNuPRi&NuPwpi#RoWh?vf8Ri%Jv]!%R\
i:KvxD!.'2WeAjZu`q9rxu,Re7woeAg-unLq(qA_/*2Wg_g3u5q^9:4E}/jTrxrzv=Wkkd~0UX#^^Xa-a1a5T&a=U1a'*aEa]!a*aPaA-adok[y54Rn>;:p3~Dp5g9rpsFNvZqjg3uJp4~<5p0Pw;5qlJwNZt*@3\
p1Pw:5p/Ou!5p2JvG'!6Vye=<qnJvh_[xhg3v,Rh3kOwOw-sDuev/Re^dha[a%!%!a+#Ta7)-5TaCaO!aka!a)sf[yb2>Rl!9ARiq5E}Qg=ucRkBE|oJrJ_@Wk~@Wk{JrJ_@Wk|@WkyJrJ_@Wk}@WkzJvO_[y2g-\
vMRmiKuYC!)&>Ri;>Ri<@3RkNc](X#@9Rk=g5vuRmhKvDB!+'=]meg3u4Rmgd)#Y'Vz3CARmfd`a+!%T'!+#Ta1Ta6TaM-sTDt9[yA9sYd'%Y#s[[xpj:ueunaXRgEjRq,v-vuqdd2'`#6Rev<32@5>:2<E}5xIo\
9a*X#Y(;5RePJvD_g>vyRgNj8w)v8<wggs:RgXiZt|vjx,hSq3ah!-(~@:Ro/Ou!5RhWj^v(pyw8unRhUdx-UY#^Ua.a3a70!)%UX1TaDa)'omRiRRhE[y:3Dsz=Br,>6Vyj3[xkg6ruwjcqsrPw;5r*Ku]D'Zt-\
@3r(~?r.i[vwv]dU1a--U#`a4(g/vsRhPOu!5RhLj:rmu9Wo!~@:wdh@g/vsRiTjXuvvNr}:RhBj^v(pyw8unRn]dz1UYa'a+^Y(!aETZalaRY.Ta?a4[yDJw1!#qLsW>6Vyrfzq-pLflpwRe|Js>%!Dt@3Dt&Jv\
y_[xs~HrnjMuwpsw'RecKu+D#'!t<~Grl~?rjg5u-x,gwp{ah!-(~@:Rg~Ou!5Rh'jXuvvNr}:Rh#cW#X/c;&!#2sLi[v7u7RgpJv)(!iLrxu,Re6j7v@s@5Se[e7d`aW!Za(a`T.a#!a3!&aDa-!9)Dt_=6s+3[\
x~~DR|h~DS6avhGun5RkZj3w)v-]mkKunB!&*]kb97R|i<ARk<c:Z(6Vy}Juh'!wziMRoS:F|vkLuauJv5vtvQRh1d='T+Y#VyO~DR|jcF#T'7R|g97R|kJv3'!ay<Rj,Jvh&!:ReXcsa6*a+#a#_aIRf9aLRf?c\
,Z&Rf5Rf7c.Z&Rf;Rf>cQ#%T'p-Rf8Rf=ct#%'(*!,p,Rf4p+Rf6Rf:Rf<d~'Ua%U*^UYa(!a,-!#a4YaTalaEX0a8a<Weo3Dt/3Dsx=Br93Wen~Dr;~<5p<JwNZt2@3p=Pw:5p;Ou!5r3c7&!#:p>3Ds}KvGB)_\
6Vyk2sM=<r7x'eovA(!hFu1ARf}cV#X&@r5j6rvwQa^Rf3c=Za'wkghJv__g;unRggA53B9=b^}%j6uduo5Jq;!(hIv%2Re`Ou4ARe_e%a#^^^Xa&!a*a2!&a6YaP!*ad!#a:aE/5Rn?[y@>6Vyp;:pE~DrY~<5p\
BJwNZt8@3pCh=rt3rWPw:5pAJup_[xoNuPpF9c!#'45pD5ARn)d8#X'X*3@rU72s]h>v<<sSjJpqvewOJq/(!hNw'5ReBk0s2u3w/w'5ReE5@Jq.!a+JQ!&WeU23d(#Y&RjG5]jBk!u7w&u0udARjEe#+^^^Ub#!\
a2/a`Z(agT1!a-a;|@TaG!aS[yV=Re~fow'RguNuPRe?bz#'>RoUWeL>:Cbb|?JwPZtVg6ruRmzJvD'!6Vz(g/vmRh~Jvy_[y(g9voRgyx*cy(#2>Ri2B9b]~9kIw9u7rluJu3Rg]dI#a%UY'@=p%CAx.gQZ&Rhw\
wygtRm{x5g_Z'+ABqR9Woa=Bp&dV#^*Xa'!&@o{g4v]Rk;Jv{!%Rk[wkkiA5RkiwwfUB=x,fUuqC&*!>RfTg8v0RfV~ARfSd;rJsAuAv9wR'ae+/aO!a@aza/a#[yQ@Wg!2Wemg3sEr0JvB_g>uvReWg2v+Re=Ku\
pB_+[y!2AbY~-~Hr2AJwD!(h<~El>h<~El?Kun@+_:9b`}Kg-v/Ri3g;vtwyk_9]k_d=&T#*U.6qh@Ab`|K9:H|CJv[!&3Dtex'fDwC%!Rf[9WlMd[(^X,!a%Z06Vz!@WgBg=v~Rgvg,QRe@awd,#Y+jTv|Q~EfW\
j]uNr|~FRfXdy#Y&^Ua%!aO.!(a)Ua;=!a@aKap!a-,a!Ta]a[rSa]p?[y82sK=Bq~;:p:~<5p8Pw:5p7d'#Y'Wf(;RnRi[u4w&RgJJvG'!6Vyh=<r#ijuuv/sIKuYD'ZtG@3p9~Gr&d2#`(g<vtRgFj`u5w&rqp\
xRf2CJuY!+:wfnTOu!5Rg}jNs1ucv&RfwJvA!&3@q|BDcC#T,k/unq8w8Q5RkTklwQuzunq8w8Q5Rk9dga#!a'!a=#a0!:+Tb*b@aO.a4!aba8aFJv^}?!VyR~Dr<g;u%Rn.~<5p[x'e`wNZtR@3p]Pw:5pZhNvj\
Bp.woe_g5u-r4JwF!%DtO3:ooc7&!#:p^3DtpLuGw(!+%)Dtk6Vz#2sd=<r8d'#Y([y#<x3gJt`w@!)%}MRiowzikRij=]ilxAf3,U(#B2Rf#g0v-Rm[ck{`U#]giKv3>)!&6Ri154s,KuGB_%@r68r:dJ|t`#X(\
9<E|u2@H|rx3gJu?w'!+'1Nu7Reg4=H~+9<wxgY95Rm]xLggZ-`(X}U2:Ri4h<uOawRmsJv__5@bb{jbV~3dka#a'a]!,#a+U=a>b6a3b%!/aKa/)!arwve^VyJ;:pR~DpTg3uJpS~<5pOPw;5qmPw:5pNOu!5pQ\
JvG'!6Vyx=<qoJvA!{~Jup!%@qk7Rn/KvyD!}''[xz;>wkh'?Rh,x8gyt`w5D!&),(SgyccRgztJ@3pPB5p#d'(Y#<]mmifubw&RgoJvE&!82s^JvF&!8Rf,ADb]~;x=h'rNu]vK!,%'*0RnORh)4Rh*AqQg-vaR\
nNg;wHwkh'ba~4cE#Ta*x3gctyw@'!+%RnFRnD<4Rn@hFvK5RnCxWg[#`&a0Ua()`1Rm75Rg[c]%X#qi8Rg^NvdRj>BwzgZauwji7Rm6A4wgg]d1#&(*,.0a#Rm;Rm<Rm=Rm>Rm?Rm@RmARmBe%#^^^Xaea?aC/b\
+(,!a+a#!a/!>a&Ta<aKbD!2wphBRnk[yPw}hE|.=Br-3Dtm>6Vy~g6urRf.x,hPrNav!%'RnqRo%Ro#Nu;q[Pw;5r+JwNZtM@3r)d'#Y'Weh;xChL#`&RnmRnoKu}>%(!Rne~Bs-;2wjcussJv+'!aYSO}6@B<5\
?ba~8LrNvj!.%*ROwungw~ng~:9;Ri^>wtnig;wHRnixDh@|(UZ.x1h@|)!#:2<H|*xHn]#-UX'3Ro)z=iT}6ARns=Bwsn_wpnaRncw]aR(#UXa&Ua*a/=]iPd'#Y&Ro'WnXf{QRm2hNvj]nZd`'T~&1`{|`#9b]\
{}c:'!#Wl{>@=be}]?cl{{U#:5Abb}Jds#^YaF!a*b4a#a3aPa>&Tb!bH!*a_!Eau?/a&RjY<]gj>6Vz*;:pe~DrZg,QRj1JwNZtX@wihspcJvZ&!VyX9WmOJu|!|N2WmHJvh&!]ht~Bpbcn&T(!#RmQ<s7Nu;pa\
dH#X'`+WmJ@>RmKCARhnKup=!)&Wf+:RhqNuPpf9c!#'45pd5AwghpARn(Ls@w!%,)!RmP@Wfe<E|IJva!&WmNg8vsRmLd`*.`#Y'Xa!axRn*]hrA8Rhug5s@rXg8u!RmMd8#X'X*3@rV72smdI*#UY&RmICARho\
~GsgxVgd)Ta'U-Y&Xa!T#RnEWnA@Wffg1uDRi0hFvK5RnBxGnG&#`%owp)@wsf+bX}Ze-*1!a*^^^Ua|!#a.aq&Ya2!a>.a6!a:aO`aJDtL[y`@Wg#>6Vz12@wzoYRoZNuPRi!NuPRhzg=ucRi,@=b`{Yg=ucRi-\
ACJvB!&Sh[ebSh]ebi`wUuFRm4Jw2_[y0JvB!.<Ju(!&SoG}6Shd}6<Ju(!&SoH}6She}6Kur@._g5vHRieJvx!{L2G{Kx6gd'T#?Rh82Wi5cZ#X(g1w)Rm5dW-Y(Ta#!a)!#aYa=wnfE=su2>>bU{0j9udv:<sv\
j8uQv-7RgHdE%#^'sq9sp=>Bb_{TJv`!&g/r|snj6v(us5d,#Y(56H}[978H}]Jw5!&g1rushJvB!+j;v{u5?zDhd}6}bj;v{u5?zDhe}6}ce*#`(^^^a[aea!=!a6a*aoXb1a.!aAbL!b>,b'aL!aV@Wf|2Wlg3\
[y/JwNZt^@3piPw:5pgJunZou3@rsJva&!Vy_g<v~Rm#JvG'!6Vz0=<r{Ju{%!:pj@WfsiXuJu3Rm:JvZ&!WfA~Bph@c4Z&Dtwax5rubx(#:awRk1@d,#Y&RfjRfid1#,Y(@Wfp2Wlrg5s@ryKu[@!,'=]ig9wlk\
?Rk>g5u-rqJvy'!@9RkQcH(T#=>Ri~@<wkj(Wj(KuZB*!&<7rw@9RkRcH(T#=>Ri}@<wkj)Wj)dg(Ta2Xa9X#`-!a*CARhg@@=I}d9x;c~#X%so=<sj>2@@=aybb}XjWv0Q~EfEj3vLv;<d,#Y(56H}`978H}_dg\
aPaFa'a/!#a3Y0a_a;a|!1(a7-[yE3[xt;:pJNvZrrg3uJrvJwNZt=@3pIh=rt3rxPw:5pGOu!5rpJvG'!6Vys=<rz@c4Z&Dt(ax5rtJvZ!&~BpH@wsfNg-vaRlNci*U#=<wei<F}a5@Jq.!a*JQ!%@qZ23d(#Y&\
RjH5]jCk!u7w&u0udARjFd/prq=tyvpaEa(a:.!a1aZ(@@=I}:9wpd%=<sX55w_h}@@=I{t=ay<aU@@=I}T=ay<2@@=I})?C9:9au@9Cb]}DP~=x-fAZ(2Wl1=ay<aU@@=I}>5@d##Y+jTv|vV~EfFj]uNpn~FRf\
GdgaK!Z2&!a8a-Tb({E!acTbM*!a(DtY[yYd'%Y#sl[y*hHvh>Re5x2c{Z}.j4uCvcawRiMd+#X+_x&d!},<5RkX;2Hzw@x,gavfB-!{CcF&T#Roe;RodwWbBg5urRgaKvHC*_6Vz+<4opieuew&Rmq@d]&Y)X,T\
#X0Rh}<BqP=4qS9:ReMg/ujReNJw0!/<Jui%!bd{kawwnemRelAxUa?a3#*.&UX(Ya+a/RhvRnQ<o}9Wmtd-#Y&RgSRmw9;Rmxay=Rmyg-vaRmuxEhSrNu,v-voC!%(aR.a(a7+1Ro1>Ro5CE{A9b]{@;5x#eO{:\
g;urRi+KrNA!%(Ro3>Ro79;Ri_Ku@>{;&!x%gX|{KunA_+g5QRj/g3u5Rj#g>uERj%wio/xRhS&!,!#^1U}wba{8>>@=be}qC@:D5ba{7Ku+A&!}x?ba}t>>@=be}se(aA^^^Uat!b0#{pa+awUazbGa#aLb9bga\
Wac'a5TbS=Br!d1#`%scp_Jvl!#rT>Re0JvX&!VyN=H{Fcm#U&:pY=ReaJv2&!]h0=]nUJvG'!6Vy|=<r%JrM_=]h2@Wlud'#)U'Wf'b]{i=]h/Jvh!&~BpWg=v]RnMx+ny#'Nu;pVwjnu=]nwxJnx,T#`&Reqwj\
nt=]nvieu9vrRjLLuYwP(#+!th@wih5pX~Gr'g5v/Rh4KunA'!-CARnP@wwiN:Rm_9x'cvw>!|l=<saKvAA!0&3@q}>w^e1bp#&Re2Re3BDx7gH#T|f5H|eKuZ>!%(:qNAH{]Jv6!+3B2B9=b^{X<5<B92:E{ZLv\
hwA(a;a%!igQuyRmad+#Y}m@3Rh5d8#X'X*:AqUAHzmaxwbh<aXRnVcF}RT#Nw&cj#U(BWnug/vsRntdka)(a3+.Zb7aYYan1!bVa@Xa}[y^@b[{G=H{+hFu73Rj&Pv#5ReQcK%T#sig1v{Rj'Ku+D#'!t]~Grm~\
?rkKuMB!01d5#`'Vy.ta3Dtu~Hroc8#'{^45s85AwZbP&!#Rn!wghxWn#KvEA!)&2RlA2RlBx:h|#(T,=]j09Wobz>x]z/@awRoTd+#Y(az]hFhCrm4d,#Y+jTv|Q~EfMj]uNr|~FRfOdCa!Xa9_X#@<plJvf!%b\
`{(9;Rgwc;.!#2x7cw#T|UDb]|T5Ju={(!=@E{&Jv)&!Ab`{'awJvf!~*>>@=be{#KuY>!+&4Ezyi[ugv&RjIdea+T)#UXa&T-T&a!Rh9auRmW=]kLg5vuRn+g3u4Rn-Ow6ARn,hHus5xNk?#UX(U~)/g8v0RkD~\
AwkkF?Ri.OuNBwkkA?Ri/d|a2`a*^UYa.!aBTZaTa'Xa;!(!2!-a#b2[yC>6Vyq3[xr2Wi?g1rusVh%s?DtF~<5rbJs;%!DtBfswKtCj[uvuSsEu3RgVx3o:u+wN'*Zt;@3rd~Grh~?rfg8w)Lq)qE&-a%!>bI|`\
jWv0vV~EfCjTv|vV~Ef@j]uNpn~FRfBcK#T']gWNu7x,k7q4ai(0!hHv8<RhmkMu9vrsBuev/RhlCJvB!,g<v{wchh~@:Rhji[vrv{wchi~@:RhkdS&a5UY#Ta!RgPwwiI5BwciI~@:Rh`x'iJvj'!5]iJPu8Bwc\
h]~@:Rhach)U#h3rp]gLh@t|Ax,hTq3ah!-(~@:Ro0Ou!5RhXj^v(pyw8unRhVd|)`,^UYas!a?/a2Z'a^Ta{Tb7Ta(a#!a,Wf&9sZ3DtAadamov=Bqt3[xig8vsRm~>waiL2b`{QJv*_Ouv2qgj<v]v2BqfdR'X\
*X#Y-@3qr~Gqv~?p6hHv-]glPup5Lq+q?_%*b_{qF{n9b^{rOu4ARhpKvCD!+&~Bqp:5Dbb}nwoiKl&unuTuBv]v+ueunaXRf0=Jvh!0nKufu8v1w&w7q%w&uHrz:Rgnj5w,uxDJq/(!hNw'5ReCk0s2u3w/w'5R\
eFd>Za&!*UaA=<wkgsRnSJv^!%Refifw3vyRgOKu_B'!,<]gkiiu:w&Rh<=C@a^<B57@2F{[<B5@aW:=3away9A5aW=<B=C@a^<B57@2F{Ie-#`(^^^bCara.b8aza6!/bZ,!adTbnTbOb+aFaS!aAT9@Wf~2Wli\
3Dtl2@d,#Y&RfnRfmJwJZtN~GqyJva&!VyMg<v~Rm%iXuJu3Rm9Jv[_=]ih9wlkDRkCd1#`(@Wg>2Wls3cH#T(@<Rj*=>Ri|b~'#23s9h<~El.d'#Y&Dtxi^rzvdRl#d*#U%(o|B2s`hJwSaxRmDKv4B&!1:Rmdd\
5#`'Vx}to~Hq{x'f1v3(!BA5ba|bJv_&!Wfug1v]ReIdO+U/Y#&G}-8wze=Rh{g1v]ReHg/uQRf/by#)ibQwERl/cH#T(@<Rj+=>Ri{cNu+vlax-!(#a0qa9<Rii2;;bU{H;x<i=&X#Rk`<4wwi=C9H~8xAI(Y#<\
azRi@45wXI<B9;5bb~7dL(X#Xa(+!aL6Vy{g5QqOau:5au2@ay547EzbxOcU(UX-T#Ta#:Cbb|A?wjh/b_|SOw6ARgtihr}u7Rhy<d1#T)X1@@=I|~=ay<2@@=aybb}Sj3vLv;<d,#Y(56H}A978H}@dGpvs@uAu\
`vcw9*!aFa+ai%(b!aXa8.a?a[ozWey=sU2@G}Nch&U#Rf_WexKu+D#'!t:~Gr`~?r^j]uNr|~FRg*j^psurwJt|RmcKv)@&!)7Rkv~Br[@wxfO:Rl3co#U'6Rezj_q#vIuavjRltwzeyh@vr5JqD0!>aY?C9:9a\
u@9Cb]}9cl#U*5;5<H||jbuus1ucv&Rfvg1v~d/pppzqFr^a--a~!aMat1(hFv;Wiz@@=Izoj5uuv-7Rix~Cw`fk2WlVcZ#X,k)u3vWs@u2]ktg;wEx'fBq(_2Wg/jTv|vV~EfoJv]!15x'hzqG!(P~EfU~CRl_j\
6v(us5x4i-#T(2WmZ?C2F|d>Kq<aj1!*jTqIsBv=Wl`~Cw`fi2WlWj`v0u*~>RlR=c>Z,k#u3vWs@u2]kr<c1Z+jTqIsBv=Wla~Cw`fm2WlXdmb3!a{(arZa`bkTa%TbQTa-a9+c'!aM!/[yL=Bqug.w'RifhFvy\
DRj.g>vgwyk^9]k^Jv3_@WfbAARkhJw2_[x|JvB_wkoIRoKwkoJRoLd'(Y#<]gm=<9<H|yd'%_X#skDtb3awwqkgNulRkgdB#^',9:p'hJwSaxRmEBwVb8@4=H|qLu+w50&!)@3qs~?pU>Awwn;;Rn=c:Z'ARn<=\
<qwKvC@!/&~BqqJv6!&]eVb^z^xRge'/a%+^`#Sge}6<4Rn3=]n0Pw2>Rn8Jw0!&>Rn:>Rn6cY#a7+!a&=<wkaNw~h3z_c5Z{=wjh#=]nLKv^D!&)Vyz=bW|swYb<WetcG#T(2wxa@qVx@gD#Y&b^|V5JwG&!5bb\
|pg/w&RgD@x=kHs=uAvn!a%%/'+RmSRh694Ro`g-vaRmRhHv-]mlxCcS#`&ba~.5cD#Ta)P~=d,#Y(56H{>978H{Dd_#{2^Y%_+qbbb{6g3sERhsbU{?dfa.,`a(Xa<!aiX#(55RiG54RiHcI#T'WiU3RiVNvdwt\
fcRlKNvdd,#Y&RlHRlExQgf.1*^T'X#Sgf}6Wn4=]hfPrk>Rn7Jw0!&>Rn5>Rn9Lunw?&a2!,5<oq@@wqfdRlJj5Q~=d,#Y(~ARfcOuN]fdDKw;ay(}i!547E}j?cI#T(@5bV}iCbV}hdv(^^Tb?a40,b##Tbo!a\
*bR!a<b|a/!aKai!aU[yK=]o^g:v>ReGJwPZtK<7Rh+h<~El,Pv#5ReR@awwxjCg,ulRjDJv6&!]j!z?aQeeg>w=Sh<eeJw;!&axEzOg,Qosc!#*:wkeJ]eJ>x'h-u(!%Ro.w~h.zPdNZ(X,Ya![x{;9ReY;wkgx\
RiF:x?ap#Y&RmUg<s2Rkod]+UY0TZ'!a&A9sw<=bczLNvuw{gqzNhJwSaxRmCKuLay!#&s_Rf-55b^{uJvZa!!c%#(55Ri654wmiu5RiuawLu,vp!+}^%b_}Y9;wkgxba}o>A9:=b^}zKuh=a''!3awRk3c*'!#a\
HRk6c+Z&Rk5Rk4Jv)&!awRjSawd9*`#0?C2@EzMj8u<uJ5RmbjQrquJu3x,k>uq@_+=ayb^|W~ARkEOuN]k@7dhzV^X/X&a-#zRzSb`zXcJzTT#2WkVKvDBzW!%FzY9;5bbzWjQrquJu3Jw3%!b`zU=ayb^zQd:#\
X(T-a!6Vyywxh}=b]{Jg=u1RiAdGp~qHtzv!w(wA+a+a;<!aJaYai'anasb(=azRmV:Cbb{MLq2vb!%')RjuRjrRjtRjqx3jnqCw3!%')Rk(Rk+Rk&Rk)Lq2vb!%')Rj{RjxRjzRjwLq2vb!%')RjsRjpRjfRjex\
3jcqCw3!%')Rk'Rk*RjkRjl9<CbbzfOu4ARhxLq2vb!%')RjyRjvRjhRjgx=joq*uKvb!%')+-Rk.Rk%Rj~Rk-Rk#Rj}x=jdq*uKvb!%')+-Rk,Rk!Rj|RjmRjjRjidAq&qKs@uAv8Aa.'*-a@a&0!aM@a5[y73D\
sy3Ds|3Dt):wxgI2sHJwJZt.~Gqxwsf0ikrzt}Rl0Jvy_[xj~HqzKv_A|D!&WfP8axRoVcf,U#k(v]v+ueunaXRf1Ju}'!g8u#Ri=jQw!sCunLprq>!,')~<5qeGzq9F{W=c##%s5au:5aU3CBE|;d4#X(D!a&6V\
ygx(b;#(=]ed?C2F{N<capoq2r[a&!aPa9,'Pw;5s:@@=I|,55w_h|@@=IzcP~=x'fCqB_2Wl2>aU@@=I|1OuNBc1Z+jTqIsBv=Wlc~Cw`fl2WlZ~AcTa%!Z+jTqIsBv=Wlb~Cw`fh2WlYk+uNqJsBv=WlSg,u3d\
ca3#UXaMYa)TaB-=cM|7T#<bI}l5@B932:aV2G{BOuNBJq:|M!5Ezt=<B=C@a^<B57@2F{v>cB{/T#=ay<bI{3Jv6!a.6BKq0ah&+!5E}HP~Ef{978BaU@@=Iza<7d#.Y#978BaU@@=IzH~AJq0!(@@=IzG978Ba\
U@@=IzFe,aU*Y&^^^bvJb,b:bFad!a,c2Ta>aL.bo6!a#CbTa'T#Re{2Wlh2@G{yg6t~Ro_NvdRfticuRQRllJv3&!x&c|zs@Jw3!%RflwpfkRlpKuL;%(!Re<@G|C2GzdhIvuBwgjAg-u0RjAKQB%!(GzZ@G|5N\
uuRl7d='T+Y#Vy[g<v~Rm!==G|>JvA!)@wma=]m1ifuaw&RmnLs@vT'!|/+[y,g:v>ReTJw1!#qX=x!eC{bLu+wT&)ZtZauq_~Graci&U#F|89:r_Lupvq!.)&2RlG8RfaC=x!eF{_h?rpWlmd&'!#X|&]k::xJe\
y#`'T|+<E|&2@H|%dE#(^,g;u.RiEg6vjRiC9xCkA{O|zY#g=ucRmXKs0@!&*@G|m@awRknJuh!,3d(}gY}eJvj!%Rm):Jw3!%Rm+Rm-Ls0w(&!a(a#@b[|6cZ#X'7RkxWgAOu4ARn'dH'U#Y*Vz-Wm'CARm}d]*\
#a%^a*T'aK!a<9bV{PC=p*Jw4!&SgxcbB5r]idw(wBRmF7xFkt#&`(Rm/Rm8E|!JuY_9:Rl5=wrgr2:bbxd@xXfB(a*#T+!.X0X1Ta/a'T&RlDRfL>RlyARl9b[z[>RfZ:RlL:RfRwlg/ARl;9;RlxKv,A/!%7s6\
9<74=BA5ba{-8Bde#`a<XaKYa1,a'P~=wxfB2bZ}}?C972@@=I}r8@55B9;5bb}G978B2@@=aybb}3j3vLv;<Jw3&!>Rfk=ayb^}4~Ad1#`*@@=aybb{w2@>==<bbz]dx+UY#^UaF!a9!bB'Ya1.!ajXa#%olRhD\
[y=3Dt#Ov5BrHKuMB%!(Rf^Wep~HrJwkiQjKr|~FRg)Ku+D#'!t5~GrF~?rDdV)UY,Z/_7RkuG{<~BrBg,rlsO:235B@bX}|d?a1!#`(6Vyn5@d##Y+jTv|vV~EfIj]uNpn~FRfH7Lq2vb1!a9-978BaU@@=Iz99\
78BbU}#~AJq0!(@@=Iz8978BaU@@=Iz7~AJQ|}!978BbU}!JvkaK!AdUa21-U#`a+(g/vsRn~Ou!5RPj:rmu9WhOjXuvvNr}:RhAj^v(pyw8unRn[kPr}p|u7vwv]RiSBd;pppzq@qHQa?(b.!a.a`@.|xa(hFv;\
Wiyj5uuv-7Riw~Cw`fg2WlU978BbU|wOuNBJqG!(P~EfD~CRlQcZ#X,k)u3vWs@u2]ksg;wEx'f@q1_2Wg.j]uNpn~FRfqJv]!15x'h{qG!(@@=IzK~CRl^j6v(us5x4i,#T(2WmY?C2F{1>Kq<aj1!*jTqIsBv=\
Wld~Cw`fj2Wl[j`v0u*~>RlT=c>Z,k#u3vWs@u2]kq<c1Z+jTqIsBv=Wle~Cw`fn2Wl]dn1#c(a(b^a2!b/bAT(bj!aDa7bu,a_a{c0!2T0g:v>ReD2@G{42@G{5~DpM~<5rc=Bx6i>{RT#RnI@zCx]y]z:2Jv[!\
zr5Awyk]9]k]dD(Y+X#6Vz.g=wKtgwhaCwgmTWj2Lu,w%_+/[y-B;b^xeg3u3Rj-2@bX{*KrJ<!+'@Wg(g?QRlC@Jv`!%b[zIwsfII}8JQ_@w|kW|=Jv(%!AqcOuNBJvEzh!bYzjLs@wP#(0!oy@>RkdJwMZtc3D\
td@BcG#T'9bWxg2@2Fznd*#Y+;2x'c}w<zizixNgwa#Z'U+!/!a'!a+w~g~z6wcn{Rn}wcnzRn|5Rh%=]nJg5vuRmvNvdRlvcprJu}w*az*a#!%.a.'Bot9qT]kj@Wg'ay2Gzv@Jv`!%b[zEwsfHI}1;ck#Ux`<C\
bbx_Lu+w!a&0*!wko*wwo,So,}6Juqxf!E}PigQuyRm`d3(`#8>Rn%:A5B;bZ~%KvhCa!a2!x>k7#Uxb@b{#xaRk7Jw0!)>wwhlShl}6>wwhmShm}6CJvB!.x'hhvj{!!5Bwkhhbaz}x'hivjz~!5Bwkhibaz|xE\
hTrNu,v-vpD!a%&/)a3a.,%Ro2t[CE{)@3re9b]{%wjo09:rgc:Z&Ro6=<riifuaw&RmoKrNA!%(Ro4>Ro89;Ri`dSaL'UYzxZb)7Rka3xRhT&!,!#^1U}vbaz{>>@=be}yC@:D5bazzKu+A&!}{?ba}y>>@=be}\
wxBh[t`u~vJvr!%a!a()a,a0a4RoC=]o;Ju(!%RoGRhdwjh`=]oAg>w#Ro?g5vuRo=NvdRl|Ku]C.!&;RoEJvB!%RoORoMBx'h[v+_?w~h`}~5?w~hd~!xKh]oiptu-utv.vp!#%&a30a@a'a+(a/aOp(o~p!RoD\
Ju(!%RoHRhewjha=]oBNvdRl}g>w#Ro@g5vuRo>c[#X']o<CauRoRAd-#Y':RkpauRoQKu]C.!&;RoFJvB!%RoNRoPBx'h]v+_?w~ha}t5?w~he}ue!/UbhYacXaW^Tc&a;b:a-c/#b&aja1(!cL+!bKbt!bmcRc\
9aIc?8[yW3Dtt94Rg`Jv}!&SiRMzBhEebShEMNuPRe>x7gL#TzuwjirRipc<Z&>on;>z=h-MSh.Mwqczx'a7vj&!>Re4@=ResJt__NuPRi*NuPRi)j]uNr|~FRfzKrJ>_+@Wfy@Wf]2WocKrJ<!+'@Wg%g/QRl@@\
Jv`!&awRl<wsfFIzgLu(w*!.*&ShBMwvhIRhI9;RhNx1hK'!#Sn]Mx1hK~0!#:2<H~7cNu+w7D*'1ZtW>Rn1~?rOc:Z&Rn2=<rQ<7wjh&=BSnLMc]#X(6Vz)w[b=a!U#9wzgMc3#&(RgMRitRis<x,gKt`ax!&+S\
ioM=BSilMc3#&(RgKRinRimKurB,!&SiQMzBhDebShDM6BJQ!(P~Efx978B2@@=I}WLrJw!!,a*&@G}O@9wkibRid@@x'fKwC!&SlDMSfLMjUv~Q~EfKKv3@a+!(hFv-]mpx/hYZ(C5RiWz<o/MwkhY?So/M@x,g\
bvfB*&!SgEM:SoeeehFu3:Rgbda(,^TZa)X/7Sg[eb:2RgI~BrMC@wgkc:wwkcRerx3h(uUvK!&*,SnOM4Sh*MArRg;wHRh(x=h;rJvPwI!a4',a'0@Wg&=BSh/Mg>w=Rh=g3w*wwgGRgGcW(X#;Sg}M2Gzk@Jv`\
!&awRl=wsfGIz`dKZ*T'Y-:RhR7RhQg5u-p`j6v(us5d,#Y+~Awkia?RicOuNBwkibba}Ld6p~tyu_vbAa'a+!a/'a3aEa8a!>Sh,ebJv{!&Sh@ebSaReb9;SgwebNuPRi(NvdRl)NuPRi'hHu^<Rm^Jvv_@Wl(g\
;u1Si/ebKu'B&!*Sh?eb@Wl'z@aPeb95Si.ebcpputyvjB)!,&a+0a%ShAMWeK@G}C@WfJ9;RhMwvhH9w{ia}ix,hJvRA1(!zAn[MRhHx1hJ~*!#hFv(BSn[MBJQ!(@@=I~'978B2@@=I}2db.Ua<'X}+T#a0XaG\
2G}E;wkg|wuh!Rh!x,hZu,@)!&So0MVy)C5RiXACJvB!&5RiY5RiZg8w)cG}*T#2@bU}=KsA>(!a.3wkhZba~(x,h^u(A!&(SoCMRhb5Bz=h[eb?w~hb~6x,h_u(A!&(SoDMRhc5Bz=h]eb?w~hc~6e)aA1T#T,^\
^^c-bMb&blcPaP(a/!0!bA=b5c@a(!bfbrc#2afwmhARnjwchORnp2Wlf3DtsNvdRl-2@wpa<]m0bx(#:awRk2@Jw3!%RfhwpfgRlnKQB%!(G{V@G|'NuuRl6d='T+Y#VyUg<v~Rl~==G|<Jv+'!aYShC}6@B<5?\
ba~8@Jw3'!g2QRljhLrpWlOd+#Y'g.w'rIg>w*wgj@g-u0Rj@Lu+wT&)ZtUauq]~GrGci&U#F|39:rELrNvj!.%*RhCwunfw~nf~:9;Ri]>wtnhg;wHRnhx3hDs@v~!/+'@Wfr@9RkSNu&Rlo=@<5GzoKs0@_+@W\
l+@awRkmJuh!-3d(}pY#qWJvj!%Rm(:Jw3!%Rm,Rm*de&!1U-U#`)Re;@G|.@9Ri82@wjfvRlq=@<5GzpLvOvr!).&2RlF8Rf`C=x!eE{.Jw3_g2QRlkhLrpWlPde(!#U{s,UXa*Ta'[y'g:v>ReS;x0PZ&RnlRn\
n~HrKJw1}f!=x!eB|2w]aP(#Xa&a*Ta.Ua2a7=]iOd'#Y&Ro&WnWg;u.RiDg6vjRiBNvdRlzhNvj]nYJuW_2Wm3x)kFze{9d])!a.!,Y01!#&aC!a3RndC=ox~BrC@2b^{pg,rlse7x'ksuq!%Rm.E{xidw(wBRm\
Gx9o+)X#wwo-So-}69:Rl4@xSf@a#XZ'X)X,Ta(/ARl8b[xc>RfY:RlI:RfQwlg.ARl:9;Rlwdn'#^XafaQa1X1TaHTa)@b[{zcZ#X'7RkwWg@Ou4ARn&x)kG#{,g7u/RkGdH'U#Y*Vz'Wm&CARm|bx#(A]gUbUz\
Jj9Q~=d,#Y(56H}l978H{U7d,0#U*2>ABb_xZ978BbU{e~AJQ{g!978BbU{hxMh?ad{oUYZ.x1h?{l!#:2<H{mx3n[t{vl!,&a%3Ro(z=iS}6ARnr=Bwsn^wvn`Rnbd`*T}B0!#^X'BG{c9b]{a>>@=be}F?JvS!\
&BG{d7BG}(Bde#`a1X,Ya@!a'P~=wxf@2bZ}I56B2@@=aybb}08@55B9;5bb}<j3vLv;<Jw3&!>Rfg=ayb^}&OuNBKuLA!)a!P~=x#fD{f2@>==<bbzl?C972@@=Ix^d6rSu,v7w*C(0a)a6#B+a%!sQ[y?3Dt%3\
[xn~<5rLOu!5p@Ku+D#'!t7~GrP~?rNKvlaya7'!h+v-5qMg=t|cd,U#5AAaa5Abb{S@52B5@a[@52B5Gx[iXueu;d<#`a(!/549C;ag>23ExY5@Dah89b^~689Jv)!~2b[~1Lv'w(%*!a#bX|aPrmawRe]keu7u\
hv-q6rxu,q`xTo]/a5aU!bNaDXbi!b-!ao!b<bwA!#5@B932:aV2G|:d-)Y#hJrL>RhG<7@C5<H|_=Cau:5aj5@B932:bJ|ng>vIbs)#?C2F|9jPv0w.vISh-MKvUaz(.!9ABbb|[5;5<H|Eg>unwfh;9:4E|YjQ\
sBt|vjx'hYq3!(?C2F|J:2<BaY?C2F|GOu!5x,g|p{ah!-(?C2F|c9:4E|OjXuvvNr}:Rh&i[w*t|cd+U#jJvsu)vsSn~Mkfrmu9p}u7vwv]So!McW#Xa!ax5@A5aY:5;5<H|>kJv~vYrquJu3x4ib#T)2@SmZM?\
C2F|Bj:rmu9@xPhI(a*a#U#`a3-5Abb|L~@:RhK9:4E|0@52B5G|#C::aY?C2F|-:2<BaY?C2F|.5Jvk!a)javYrquJu3x4ia#T)2@SmYM?C2F|HAxPhH(!a#U#`a*-5Abb|4~@:RhJ9:4E|R@52B5G|F:2<BaY?\
C2F|Sc^#Xa2j=Qq5CJvB!-g<v{z;hhM?C2F|Zi[vrv{z;hiM?C2F|XKsA>!a)-g<v{z;h[eb?C2F|]i[vrv{z;h]eb?C2F|^iZu.vix,hZq3ah!.(?C2F|QOu!5ShXM:2<BaY?C2F|P",13494,2713,49,25,61);var ie;(function(e){e[e.VALUE_LENGTH=49152]="VALUE_LENGTH",e[e.FLAG13=8192]="FLAG13",e[e.BRANCH_LENGTH=8064]="BRANCH_LENGTH",e[e.JUMP_TABLE=127]="JUMP_TABLE",e[e.
VALUE_MASK=8191]="VALUE_MASK"})(ie||(ie={}));var he;(function(e){e[e.AMP=38]="AMP",e[e.NUM=35]="NUM",e[e.SEMI=59]="SEMI",e[e.EQUALS=61]="EQUALS",e[e.ZERO=48]="ZERO",e[e.NINE=57]="NINE",e[e.LOWER_A=97]="LOW\
ER_A",e[e.LOWER_X=120]="LOWER_X"})(he||(he={}));var fr=32,Ra=21,md=2097151,zo=2047,Aa=0;function gd(e){let t=e>>>Ra;return t===zo?Aa:t}function Da(e){return e-he.
ZERO>>>0<=9}function _d(e){return(e|fr)-he.LOWER_A>>>0<=5}function Sa(e){return(e|fr)-he.LOWER_A>>>0<=25}function bd(e){return e===he.EQUALS||Sa(e)||Da(e)}var Ea;
(function(e){e[e.EntityStart=0]="EntityStart",e[e.NumericStart=1]="NumericStart",e[e.NumericDecimal=2]="NumericDecimal",e[e.NumericHex=3]="NumericHex",e[e.NamedEntity=
4]="NamedEntity"})(Ea||(Ea={}));var Wo;(function(e){e[e.Legacy=0]="Legacy",e[e.Strict=1]="Strict",e[e.Attribute=2]="Attribute"})(Wo||(Wo={}));function vd(e,t,n,r){let o=(t&ie.BRANCH_LENGTH)>>7,i=t&ie.JUMP_TABLE;if(i){if(o===0)return r===i?n:-1;let l=r-i;if(l>>>0>=o)return-1;let c=e[n+l];return c===0?-1:
n+o+c-1&65535}if(o===0)return-1;let s=o+1>>1,a=n+s+o;for(let l=0;l<o;l++){let u=e[n+(l>>1)]>>((l&1)<<3)&255;if(u===r){let f=n+s+l;return a+e[f]&65535}if(u>r)return-1}
return-1}function Ca(e,t,n){return n===1?String.fromCharCode(e[t]&ie.VALUE_MASK):n===2?String.fromCharCode(e[t+1]):String.fromCharCode(e[t+1],e[t+2])}function kd(e,t,n){
let r=t+1,o=0,i=r;if(r<n&&(e.charCodeAt(r)|fr)===he.LOWER_X)for(r+=1,i=r;r<n;){let a=e.charCodeAt(r);if(Da(a))o=o*16+(a-he.ZERO);else if(_d(a))o=o*16+((a|fr)-he.
LOWER_A+10);else break;r+=1}else for(;r<n;){let a=e.charCodeAt(r)-he.ZERO;if(a>>>0>9)break;o=o*10+a,r+=1}if(r===i)return 0;r<n&&e.charCodeAt(r)===he.SEMI&&(r+=1),
o>1114111&&(o=1114112);let s=r-t;return s>=zo&&(Aa=s,s=zo),s<<Ra|o}function yd(e,t,n){let r=xa,o=e.indexOf("&");if(o<0)return e;let i=e.length,s=0,a="",l=r[0],c=l&
ie.JUMP_TABLE,u=(l&ie.BRANCH_LENGTH)>>7;do{let f=o+1,m=e.charCodeAt(f),d,p;if(m===he.NUM){let _=kd(e,f,i);d=gd(_),t&&d>0&&e.charCodeAt(f+d-1)!==he.SEMI&&(d=0),p=
d===0?"":ya(_&md)}else if(Sa(m)){d=0,p="";let _=m-c,k;if(_>>>0<u){let x=r[1+_];k=x===0?-1:u+x&65535}else k=-1;let v=0,b=0,w=k<0?0:r[k],y=f+1;e:for(;y<i;){for(;(w&
(ie.VALUE_LENGTH|ie.FLAG13))===0&&(w&ie.JUMP_TABLE)!==0;){let N=w&ie.JUMP_TABLE,I=(w&ie.BRANCH_LENGTH)>>7;if(I===0){if(e.charCodeAt(y)!==N)break e;k+=1}else{let U=e.
charCodeAt(y)-N;if(U>>>0>=I)break e;let L=r[k+1+U];if(L===0)break e;k=k+I+L&65535}if(w=r[k],y+=1,y>=i)break e}if((w&(ie.VALUE_LENGTH|ie.FLAG13))===ie.FLAG13){let N=(w&
ie.BRANCH_LENGTH)>>7;if(e.charCodeAt(y)!==(w&ie.JUMP_TABLE))break;y+=1;let I=N-1,U=k+1,L=0;for(;L+1<I;L+=2){let z=r[U];if(e.charCodeAt(y)!==(z&255)||(y+=1,e.charCodeAt(
y)!==(z>>8&255)))break e;y+=1,U+=1}if(L<I){if(e.charCodeAt(y)!==(r[U]&255))break;y+=1}k+=1+(N>>1),w=r[k];continue}let x=w>>>14,C=e.charCodeAt(y);if(x!==0){if(C===
he.SEMI){d=y-f+1,p=x===1?String.fromCharCode(w&ie.VALUE_MASK):Ca(r,k,x);break}if(!t&&(w&ie.FLAG13)===0&&(d=y-f,v=k,b=x),x===1)break}let $=vd(r,w,k+(x||1),C);if($<
0)break;k=$,w=r[k],y+=1}if(p===""){let x=w>>>14;x!==0&&!t&&(w&ie.FLAG13)===0&&(d=y-f,v=k,b=x),d>0&&(p=Ca(r,v,b))}}else d=0,p="";d===0||n&&m!==he.NUM&&e.charCodeAt(
f+d-1)!==he.SEMI&&f+d<i&&bd(e.charCodeAt(f+d))?o=f:(s<o&&(a+=e.slice(s,o)),a+=p,o=s=f+d),e.charCodeAt(o)!==he.AMP&&(o=e.indexOf("&",o))}while(o>=0);return a+e.slice(
s)}function dr(e){return yd(e,!0,!1)}var $a;(function(e){e[e.XML=0]="XML",e[e.HTML=1]="HTML"})($a||($a={}));var Ta;(function(e){e[e.UTF8=0]="UTF8",e[e.ASCII=1]="ASCII",e[e.Extensive=2]="Extensive",
e[e.Attribute=3]="Attribute",e[e.Text=4]="Text"})(Ta||(Ta={}));var Ma=/https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\u2018-\u201d]{1,2000}/gi,xd=new RegExp(`^(?:${Ma.source})`,"i");function Ed(e){let t=e.length;
for(;t>0;t--){let n=e[t-1];if(!(n===")"&&e.slice(0,t).split("(").length<e.slice(0,t).split(")").length)&&!".,;:!?*_~|".includes(n))break}return e.slice(0,t)}var Pt=class{match(t){
return[...t.matchAll(Ma)].map(n=>{let r=Ed(n[0]);return{schema:"http:",index:n.index,lastIndex:n.index+r.length,raw:r,text:r,url:r}})}test(t){return/https?:/i.test(
t)}matchAtStart(t){let n=xd.exec(t);return n&&this.match(n[0])[0]}};var Cd=/^xn--/,Rd=/[^\0-\x7F]/,Ad=/[\x2E\u3002\uFF0E\uFF61]/g,Dd={overflow:"Overflow: input needs wider integers to process","not-basic":"Illegal input >= 0x80 \
(not a basic code point)","invalid-input":"Invalid input"},Ho=35,je=Math.floor,Jo=String.fromCharCode;function rt(e){throw new RangeError(Dd[e])}function Sd(e,t){
let n=[],r=e.length;for(;r--;)n[r]=t(e[r]);return n}function Ia(e,t){let n=e.split("@"),r="";n.length>1&&(r=n[0]+"@",e=n[1]),e=e.replace(Ad,".");let o=e.split("\
."),i=Sd(o,t).join(".");return r+i}function Fa(e){let t=[],n=0,r=e.length;for(;n<r;){let o=e.charCodeAt(n++);if(o>=55296&&o<=56319&&n<r){let i=e.charCodeAt(n++);
(i&64512)==56320?t.push(((o&1023)<<10)+(i&1023)+65536):(t.push(o),n--)}else t.push(o)}return t}var $d=e=>String.fromCodePoint(...e),Td=function(e){return e>=48&&
e<58?26+(e-48):e>=65&&e<91?e-65:e>=97&&e<123?e-97:36},Na=function(e,t){return e+22+75*(e<26)-((t!=0)<<5)},Oa=function(e,t,n){let r=0;for(e=n?je(e/700):e>>1,e+=je(
e/t);e>Ho*26>>1;r+=36)e=je(e/Ho);return je(r+(Ho+1)*e/(e+38))},La=function(e){let t=[],n=e.length,r=0,o=128,i=72,s=e.lastIndexOf("-");s<0&&(s=0);for(let a=0;a<s;++a)
e.charCodeAt(a)>=128&&rt("not-basic"),t.push(e.charCodeAt(a));for(let a=s>0?s+1:0;a<n;){let l=r;for(let u=1,f=36;;f+=36){a>=n&&rt("invalid-input");let m=Td(e.charCodeAt(
a++));m>=36&&rt("invalid-input"),m>je((2147483647-r)/u)&&rt("overflow"),r+=m*u;let d=f<=i?1:f>=i+26?26:f-i;if(m<d)break;let p=36-d;u>je(2147483647/p)&&rt("overf\
low"),u*=p}let c=t.length+1;i=Oa(r-l,c,l==0),je(r/c)>2147483647-o&&rt("overflow"),o+=je(r/c),r%=c,t.splice(r++,0,o)}return String.fromCodePoint(...t)},Ba=function(e){
let t=[];e=Fa(e);let n=e.length,r=128,o=0,i=72;for(let l of e)l<128&&t.push(Jo(l));let s=t.length,a=s;for(s&&t.push("-");a<n;){let l=2147483647;for(let u of e)u>=
r&&u<l&&(l=u);let c=a+1;l-r>je((2147483647-o)/c)&&rt("overflow"),o+=(l-r)*c,r=l;for(let u of e)if(u<r&&++o>2147483647&&rt("overflow"),u===r){let f=o;for(let m=36;;m+=
36){let d=m<=i?1:m>=i+26?26:m-i;if(f<d)break;let p=f-d,_=36-d;t.push(Jo(Na(d+p%_,0))),f=je(p/_)}t.push(Jo(Na(f,0))),i=Oa(o,c,a===s),o=0,++a}++o,++r}return t.join(
"")},Md=function(e){return Ia(e,function(t){return Cd.test(t)?La(t.slice(4).toLowerCase()):t})},Nd=function(e){return Ia(e,function(t){return Rd.test(t)?"xn--"+
Ba(t):t})},Id={version:"2.3.1",ucs2:{decode:Fa,encode:$d},decode:La,encode:Ba,toASCII:Nd,toUnicode:Md};var qo=Id;var Pa=Object.defineProperty,Va=(e,t)=>{let n={};for(var r in e)Pa(n,r,{get:e[r],enumerable:!0});return t||Pa(n,Symbol.toStringTag,{value:"Module"}),n},Fd=Va({arrayReplaceAt:()=>Od,
asciiTrim:()=>_r,callable:()=>Ya,escapeHtml:()=>ot,escapeRE:()=>qd,fromCodePoint:()=>vn,isMdAsciiPunct:()=>wn,isPunctChar:()=>el,isPunctCharCode:()=>yn,isSpace:()=>X,
isValidEntityCode:()=>Yo,isWhiteSpace:()=>kn,lib:()=>Kd,normalizeReference:()=>gr,unescapeAll:()=>Ut,unescapeMd:()=>Ud});function Ya(e){let t=function(...n){return Reflect.
construct(e,n,new.target&&new.target!==t?new.target:e)};return Object.defineProperty(t,"name",{value:e.name}),Object.setPrototypeOf(t,e),t.prototype=e.prototype,
t}function Od(e,t,n){return[].concat(e.slice(0,t),n,e.slice(t+1))}function Yo(e){return!(e>=55296&&e<=57343||e>=64976&&e<=65007||(e&65535)===65535||(e&65535)===
65534||e>=0&&e<=8||e===11||e>=14&&e<=31||e>=127&&e<=159||e>1114111)}function vn(e){if(e>65535){e-=65536;let t=55296+(e>>10),n=56320+(e&1023);return String.fromCharCode(
t,n)}return String.fromCharCode(e)}var Qa=/\\([!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~])/g,Ld=new RegExp(`${Qa.source}|${/&([a-z#][a-z0-9]{1,31});/gi.source}`,"gi"),
Bd=/^#((?:x[a-f0-9]{1,8}|[0-9]{1,8}))$/i;function Pd(e,t){if(t.charCodeAt(0)===35&&Bd.test(t)){let r=t[1].toLowerCase()==="x"?parseInt(t.slice(2),16):parseInt(t.
slice(1),10);return Yo(r)?vn(r):e}let n=dr(e);return n!==e?n:e}function Ud(e){return e.indexOf("\\")<0?e:e.replace(Qa,"$1")}function Ut(e){return e.indexOf("\\")<
0&&e.indexOf("&")<0?e:e.replace(Ld,function(t,n,r){return n||Pd(t,r)})}var jd=/[&<>"]/,zd=/[&<>"]/g,Wd={"&":"&amp;","<":"&lt;",">":"&gt;",'"':"&quot;"};function Hd(e){
return Wd[e]}function ot(e){return jd.test(e)?e.replace(zd,Hd):e}var Jd=/[.?*+^$[\]\\(){}|-]/g;function qd(e){return e.replace(Jd,"\\$&")}function X(e){switch(e){case 9:case 32:
return!0}return!1}function kn(e){if(e>=8192&&e<=8202)return!0;switch(e){case 9:case 10:case 11:case 12:case 13:case 32:case 160:case 5760:case 8239:case 8287:case 12288:
return!0}return!1}function el(e){return Po.test(e)||Uo.test(e)}function yn(e){return el(vn(e))}function wn(e){switch(e){case 33:case 34:case 35:case 36:case 37:case 38:case 39:case 40:case 41:case 42:case 43:case 44:case 45:case 46:case 47:case 58:case 59:case 60:case 61:case 62:case 63:case 64:case 91:case 92:case 93:case 94:case 95:case 96:case 123:case 124:case 125:case 126:
return!0;default:return!1}}function gr(e){return e=e.trim().replace(/\s+/g," "),e.toLowerCase().toUpperCase()}function Ua(e){return e===32||e===9||e===10||e===13}
function _r(e){let t=0;for(;t<e.length&&Ua(e.charCodeAt(t));t++);let n=e.length-1;for(;n>=t&&Ua(e.charCodeAt(n));n--);return e.slice(t,n+1)}var Kd={mdurl:Bo,ucmicro:jo};
function Gd(e,t,n){let r,o,i,s,a=e.posMax,l=e.pos;for(e.pos=t+1,r=1;e.pos<a;){if(i=e.src.charCodeAt(e.pos),i===93&&(r--,r===0)){o=!0;break}if(s=e.pos,e.md.inline.
skipToken(e),i===91){if(s===e.pos-1)r++;else if(n)return e.pos=l,-1}}let c=-1;return o&&(c=e.pos),e.pos=l,c}function Zd(e,t,n){let r,o=t,i={ok:!1,pos:0,str:""};
if(e.charCodeAt(o)===60){for(o++;o<n;){if(r=e.charCodeAt(o),r===10||r===60)return i;if(r===62)return i.pos=o+1,i.str=Ut(e.slice(t+1,o)),i.ok=!0,i;if(r===92&&o+1<
n){o+=2;continue}o++}return i}let s=0;for(;o<n&&(r=e.charCodeAt(o),!(r===32||r<32||r===127));){if(r===92&&o+1<n){if(e.charCodeAt(o+1)===32){o++;continue}o+=2;continue}
if(r===40&&(s++,s>32))return i;if(r===41){if(s===0)break;s--}o++}return t===o||s!==0||(i.str=Ut(e.slice(t,o)),i.pos=o,i.ok=!0),i}function Xd(e,t,n,r){let o,i=t,
s={ok:!1,can_continue:!1,pos:0,str:"",marker:0};if(r)s.str=r.str,s.marker=r.marker;else{if(i>=n)return s;let a=e.charCodeAt(i);if(a!==34&&a!==39&&a!==40)return s;
t++,i++,a===40&&(a=41),s.marker=a}for(;i<n;){if(o=e.charCodeAt(i),o===s.marker)return s.pos=i+1,s.str+=Ut(e.slice(t,i)),s.ok=!0,s;if(o===40&&s.marker===41)return s;
o===92&&i+1<n&&i++,i++}return s.can_continue=!0,s.str+=Ut(e.slice(t,i)),s}var Vd=Va({parseLinkDestination:()=>Zd,parseLinkLabel:()=>Gd,parseLinkTitle:()=>Xd});function xn(e){
"@babel/helpers - typeof";return xn=typeof Symbol=="function"&&typeof Symbol.iterator=="symbol"?function(t){return typeof t}:function(t){return t&&typeof Symbol==
"function"&&t.constructor===Symbol&&t!==Symbol.prototype?"symbol":typeof t},xn(e)}function Yd(e,t){if(xn(e)!="object"||!e)return e;var n=e[Symbol.toPrimitive];if(n!==
void 0){var r=n.call(e,t||"default");if(xn(r)!="object")return r;throw new TypeError("@@toPrimitive must return a primitive value.")}return(t==="string"?String:
Number)(e)}function Qd(e){var t=Yd(e,"string");return xn(t)=="symbol"?t:t+""}function D(e,t,n){return(t=Qd(t))in e?Object.defineProperty(e,t,{value:n,enumerable:!0,
configurable:!0,writable:!0}):e[t]=n,e}var bt=class{constructor(e,t,n){D(this,"map",null),D(this,"level",0),D(this,"children",null),D(this,"content",""),D(this,
"markup",""),D(this,"info",""),D(this,"block",!1),D(this,"hidden",!1),this.type=e,this.tag=t,this.attrs=null,this.nesting=n,this.meta=null}attrIndex(e){if(!this.
attrs)return-1;let t=this.attrs;for(let n=0,r=t.length;n<r;n++)if(t[n][0]===e)return n;return-1}attrPush(e){this.attrs?this.attrs.push(e):this.attrs=[e]}attrSet(e,t){
let n=this.attrIndex(e),r=[e,t];n<0?this.attrPush(r):this.attrs[n]=r}attrGet(e){let t=this.attrIndex(e),n=null;return t>=0&&(n=this.attrs[t][1]),n}attrJoin(e,t){
let n=this.attrIndex(e);n<0?this.attrPush([e,t]):this.attrs[n][1]=`${this.attrs[n][1]} ${t}`}},En=class{constructor(){D(this,"__rules__",[]),D(this,"__cache__",
null)}__find__(e){for(let t=0;t<this.__rules__.length;t++)if(this.__rules__[t].name===e)return t;return-1}__compile__(){let e=new Set;this.__rules__.forEach(t=>{
t.enabled&&t.alt.forEach(n=>{n&&e.add(n)})}),this.__cache__=Object.create(null),this.__cache__[""]=[],this.__rules__.forEach(t=>{t.enabled&&this.__cache__[""].push(
t.fn)}),e.forEach(t=>{this.__cache__[t]=[],this.__rules__.forEach(n=>{n.enabled&&n.alt.indexOf(t)>=0&&this.__cache__[t].push(n.fn)})})}at(e,t,n={}){let r=this.__find__(
e);if(r===-1)throw new Error(`Parser rule not found: ${e}`);this.__rules__[r].fn=t,this.__rules__[r].alt=n.alt||[],this.__cache__=null}before(e,t,n,r={}){let o=this.
__find__(e);if(o===-1)throw new Error(`Parser rule not found: ${e}`);this.__rules__.splice(o,0,{name:t,enabled:!0,fn:n,alt:r.alt||[]}),this.__cache__=null}after(e,t,n,r={}){
let o=this.__find__(e);if(o===-1)throw new Error(`Parser rule not found: ${e}`);this.__rules__.splice(o+1,0,{name:t,enabled:!0,fn:n,alt:r.alt||[]}),this.__cache__=
null}push(e,t,n={}){this.__rules__.push({name:e,enabled:!0,fn:t,alt:n.alt||[]}),this.__cache__=null}enable(e,t=!1){Array.isArray(e)||(e=[e]);let n=[];return e.forEach(
r=>{let o=this.__find__(r);if(o<0){if(t)return;throw new Error(`Rules manager: invalid rule name ${r}`)}this.__rules__[o].enabled=!0,n.push(r)}),this.__cache__=
null,n}enableOnly(e,t=!1){Array.isArray(e)||(e=[e]),this.__rules__.forEach(n=>{n.enabled=!1}),this.enable(e,t)}disable(e,t=!1){Array.isArray(e)||(e=[e]);let n=[];
return e.forEach(r=>{let o=this.__find__(r);if(o<0){if(t)return;throw new Error(`Rules manager: invalid rule name ${r}`)}this.__rules__[o].enabled=!1,n.push(r)}),
this.__cache__=null,n}getRules(e){return this.__cache__||this.__compile__(),this.__cache__[e]||[]}},ze={};ze.code_inline=function(e,t,n,r,o){let i=e[t];return`<\
code${o.renderAttrs(i)}>${ot(i.content)}</code>`};ze.code_block=function(e,t,n,r,o){let i=e[t];return`<pre${o.renderAttrs(i)}><code>${ot(e[t].content)}</code></\
pre>
`};ze.fence=function(e,t,n,r,o){let i=e[t],s=i.info?Ut(i.info).trim():"",a="",l="";if(s){let u=s.split(/(\s+)/g);a=u[0],l=u.slice(2).join("")}let c;if(n.highlight?
c=n.highlight(i.content,a,l)||ot(i.content):c=ot(i.content),c.indexOf("<pre")===0)return c+`
`;if(s){let u=i.attrIndex("class"),f=i.attrs?i.attrs.slice():[];u<0?f.push(["class",`${n.langPrefix}${a}`]):(f[u]=[f[u][0],f[u][1]],f[u][1]+=` ${n.langPrefix}${a}`);
let m={attrs:f};return`<pre><code${o.renderAttrs(m)}>${c}</code></pre>
`}return`<pre><code${o.renderAttrs(i)}>${c}</code></pre>
`};ze.image=function(e,t,n,r,o){let i=e[t];return i.attrs[i.attrIndex("alt")][1]=o.renderInlineAsText(i.children,n,r),o.renderToken(e,t,n)};ze.hardbreak=function(e,t,n){
return n.xhtmlOut?`<br />
`:`<br>
`};ze.softbreak=function(e,t,n){return n.breaks?n.xhtmlOut?`<br />
`:`<br>
`:`
`};ze.text=function(e,t){return ot(e[t].content)};ze.html_block=function(e,t){return e[t].content};ze.html_inline=function(e,t){return e[t].content};var tl=class{constructor(){
D(this,"rules",Object.assign({},ze))}renderAttrs(e){let t,n,r;if(!e.attrs)return"";for(r="",t=0,n=e.attrs.length;t<n;t++)r+=` ${ot(e.attrs[t][0])}="${ot(String(
e.attrs[t][1]))}"`;return r}renderToken(e,t,n){let r=e[t],o="";if(r.hidden)return"";let i=t-1;for(;i>=0&&e[i].hidden&&e[i].nesting===0;)i--;r.block&&r.nesting!==
-1&&i>=0&&e[i].hidden&&e[i].nesting===-1&&(o+=`
`),o+=(r.nesting===-1?"</":"<")+r.tag,o+=this.renderAttrs(r),r.nesting===0&&n.xhtmlOut&&(o+=" /");let s=!1;if(r.block&&(s=!0,r.nesting===1)){let a=t+1;for(;a<e.
length&&e[a].hidden&&e[a].nesting===0;)a++;if(a<e.length){let l=e[a];(l.type==="inline"||l.hidden||l.nesting===-1&&l.tag===r.tag)&&(s=!1)}}return o+=s?`>
`:">",o}renderInline(e,t,n){let r="",o=this.rules;for(let i=0,s=e.length;i<s;i++){let a=e[i].type;typeof o[a]<"u"?r+=o[a](e,i,t,n,this):r+=this.renderToken(e,i,
t)}return r}renderInlineAsText(e,t,n){let r="";for(let o=0,i=e.length;o<i;o++)switch(e[o].type){case"text":case"code_inline":r+=e[o].content;break;case"image":r+=
this.renderInlineAsText(e[o].children,t,n);break;case"html_inline":case"html_block":r+=e[o].content;break;case"softbreak":case"hardbreak":r+=`
`}return r}render(e,t,n){let r="",o=this.rules;for(let i=0,s=e.length;i<s;i++){let a=e[i].type;a==="inline"?r+=this.renderInline(e[i].children,t,n):typeof o[a]<
"u"?r+=o[a](e,i,t,n,this):r+=this.renderToken(e,i,t)}return r}},nl=class{constructor(e,t,n){D(this,"tokens",[]),D(this,"inlineMode",!1),D(this,"Token",bt),this.
src=e,this.env=n,this.md=t}},eh=/\r\n?/g,th=/\0/g;function nh(e){let t;t=e.src.replace(eh,`
`),t=t.replace(th,"�"),e.src=t}function rh(e){let t;e.inlineMode?(t=new e.Token("inline","",0),t.content=e.src,t.map=[0,1],t.children=[],e.tokens.push(t)):e.md.
block.parse(e.src,e.md,e.env,e.tokens)}function oh(e){let t=e.tokens,n=0;for(let r=0;r<t.length;r++)t[r].type!=="reference_definition"&&(r!==n&&(t[n]=t[r]),n++);
t.length!==n&&(t.length=n)}function ih(e){let t=e.tokens;for(let n=0,r=t.length;n<r;n++){let o=t[n];o.type==="inline"&&e.md.inline.parse(o.content,e.md,e.env,o.
children)}}function sh(e){return/^<a[>\s]/i.test(e)}function ah(e){return/^<\/a\s*>/i.test(e)}function lh(e){let t=e.tokens;if(e.md.options.linkify)for(let n=0,
r=t.length;n<r;n++){if(t[n].type!=="inline"||!e.md.linkify.test(t[n].content))continue;let o=t[n].children,i=[],s=0;for(let a=o.length-1;a>=0;a--){let l=o[a];if(l.
type==="link_close"){for(a--;o[a].level!==l.level&&o[a].type!=="link_open";)a--;continue}if(l.type==="html_inline"&&(sh(l.content)&&s>0&&s--,ah(l.content)&&s++),
!(s>0)&&l.type==="text"&&e.md.linkify.test(l.content)){let c=l.content,u=e.md.linkify.match(c),f=[],m=l.level,d=0;u.length>0&&u[0].index===0&&a>0&&o[a-1].type===
"text_special"&&(u=u.slice(1));for(let p=0;p<u.length;p++){let _=u[p].url,k=e.md.normalizeLink(_);if(!e.md.validateLink(k))continue;let v=u[p].text;u[p].schema?
u[p].schema==="mailto:"&&!/^mailto:/i.test(v)?v=e.md.normalizeLinkText(`mailto:${v}`).replace(/^mailto:/,""):v=e.md.normalizeLinkText(v):v=e.md.normalizeLinkText(
`http://${v}`).replace(/^http:\/\//,"");let b=u[p].index;if(b>d){let C=new e.Token("text","",0);C.content=c.slice(d,b),C.level=m,f.push(C)}let w=new e.Token("li\
nk_open","a",1);w.attrs=[["href",k]],w.level=m++,w.markup="linkify",w.info="auto",f.push(w);let y=new e.Token("text","",0);y.content=v,y.level=m,f.push(y);let x=new e.
Token("link_close","a",-1);x.level=--m,x.markup="linkify",x.info="auto",f.push(x),d=u[p].lastIndex}if(d<c.length){let p=new e.Token("text","",0);p.content=c.slice(
d),p.level=m,f.push(p)}i.push({index:a,nodes:f})}}if(i.length>0){let a=o.length;for(let f of i)a+=f.nodes.length-1;let l=new Array(a),c=0,u=0;i.reverse();for(let f=0;f<
o.length;f++){let m=i[c];if(m?.index===f){for(let d of m.nodes)l[u++]=d;c++}else l[u++]=o[f]}t[n].children=l}}}var rl=/\+-|\.\.|\?\?\?\?|!!!!|,,|--/,ch=/\((c|tm|r)\)/i,
uh=/\((c|tm|r)\)/gi,fh={c:"©",r:"®",tm:"™"};function dh(e,t){return fh[t.toLowerCase()]}function hh(e){let t=0;for(let n=e.length-1;n>=0;n--){let r=e[n];r.type===
"text"&&!t&&(r.content=r.content.replace(uh,dh)),r.type==="link_open"&&r.info==="auto"&&t--,r.type==="link_close"&&r.info==="auto"&&t++}}function ph(e){let t=0;
for(let n=e.length-1;n>=0;n--){let r=e[n];r.type==="text"&&!t&&rl.test(r.content)&&(r.content=r.content.replace(/\+-/g,"±").replace(/\.{2,}/g,"…").replace(/([?!])…/g,
"$1..").replace(/([?!]){4,}/g,"$1$1$1").replace(/,{2,}/g,",").replace(/(^|[^-])---(?=[^-]|$)/gm,"$1—").replace(/(^|\s)--(?=\s|$)/gm,"$1–").replace(/(^|[^-\s])--(?=[^-\s]|$)/gm,
"$1–")),r.type==="link_open"&&r.info==="auto"&&t--,r.type==="link_close"&&r.info==="auto"&&t++}}function mh(e){let t;if(e.md.options.typographer)for(t=e.tokens.
length-1;t>=0;t--)e.tokens[t].type==="inline"&&(ch.test(e.tokens[t].content)&&hh(e.tokens[t].children),rl.test(e.tokens[t].content)&&ph(e.tokens[t].children))}var gh=/['"]/,
ja=/['"]/g,za="’",_h=1e3;function Wa(e,t,n){for(;e.length>n;){let r=e.pop();r.isSingleQuote?t.single=r.prevSameQuoteIdx:t.double=r.prevSameQuoteIdx}}function hr(e,t,n,r){
e[t]||(e[t]=[]),e[t].push({pos:n,ch:r})}function bh(e,t){let n="",r=0;t.sort((o,i)=>o.pos-i.pos);for(let o=0;o<t.length;o++){let i=t[o];n+=e.slice(r,i.pos)+i.ch,
r=i.pos+1}return n+e.slice(r)}function vh(e,t){let n,r=[],o={single:-1,double:-1},i={};for(let s=0;s<e.length;s++){let a=e[s],l=e[s].level;for(n=r.length-1;n>=0&&
!(r[n].level<=l);n--);if(Wa(r,o,n+1),a.type!=="text")continue;let c=a.content,u=0,f=c.length;e:for(;u<f;){ja.lastIndex=u;let m=ja.exec(c);if(!m)break;let d=!0,p=!0;
u=m.index+1;let _=m[0]==="'",k=32;if(m.index-1>=0)k=c.charCodeAt(m.index-1);else for(n=s-1;n>=0&&!(e[n].type==="softbreak"||e[n].type==="hardbreak");n--)if(e[n].
content){k=e[n].content.charCodeAt(e[n].content.length-1);break}let v=32;if(u<f)v=c.charCodeAt(u);else for(n=s+1;n<e.length&&!(e[n].type==="softbreak"||e[n].type===
"hardbreak");n++)if(e[n].content){v=e[n].content.charCodeAt(0);break}let b=wn(k)||yn(k),w=wn(v)||yn(v),y=kn(k),x=kn(v);if(x?d=!1:w&&(y||b||(d=!1)),y?p=!1:b&&(x||
w||(p=!1)),v===34&&m[0]==='"'&&k>=48&&k<=57&&(p=d=!1),d&&p&&(d=b,p=w),!d&&!p){_&&hr(i,s,m.index,za);continue}if(p&&(n=_?o.single:o.double,n>=0&&r[n].level===l)){
let C=r[n],$,N;_?($=t.md.options.quotes[2],N=t.md.options.quotes[3]):($=t.md.options.quotes[0],N=t.md.options.quotes[1]),hr(i,s,m.index,N),hr(i,C.tokenIdx,C.contentPos,
$),Wa(r,o,n);continue e}if(d){if(r.length>=_h)return;r.push({tokenIdx:s,contentPos:m.index,isSingleQuote:_,level:l,prevSameQuoteIdx:_?o.single:o.double}),_?o.single=
r.length-1:o.double=r.length-1}else p&&_&&hr(i,s,m.index,za)}}Object.keys(i).forEach(function(s){let a=Number(s);e[a].content=bh(e[a].content,i[s])})}function kh(e){
if(e.md.options.typographer)for(let t=e.tokens.length-1;t>=0;t--)e.tokens[t].type!=="inline"||!gh.test(e.tokens[t].content)||vh(e.tokens[t].children,e)}function yh(e){
let t,n,r=e.length;for(t=0;t<r;t++)e[t].type==="text_special"&&(e[t].type="text");for(t=n=0;t<r;t++)e[t].type==="text"&&t+1<r&&e[t+1].type==="text"?e[t+1].content=
e[t].content+e[t+1].content:(t!==n&&(e[n]=e[t]),n++);t!==n&&(e.length=n)}function wh(e){let t,n,r=e.tokens,o=r.length;for(let i=0;i<o;i++){if(r[i].type!=="inlin\
e")continue;let s=r[i].children,a=s.length;for(t=0;t<a;t++)s[t].type==="text_special"&&(s[t].type="text"),s[t].children&&yh(s[t].children);for(t=n=0;t<a;t++)s[t].
type==="text"&&t+1<a&&s[t+1].type==="text"?s[t+1].content=s[t].content+s[t+1].content:(t!==n&&(s[n]=s[t]),n++);t!==n&&(s.length=n)}}var Ko=[["normalize",nh],["b\
lock",rh],["strip_references",oh],["inline",ih],["linkify",lh],["replacements",mh],["smartquotes",kh],["text_join",wh]],ol=class{constructor(){D(this,"ruler",new En),
D(this,"State",nl);for(let e=0;e<Ko.length;e++)this.ruler.push(Ko[e][0],Ko[e][1])}process(e){let t=this.ruler.getRules("");for(let n=0,r=t.length;n<r;n++)t[n](e)}},
il=class{constructor(e,t,n,r){D(this,"bMarks",[]),D(this,"eMarks",[]),D(this,"tShift",[]),D(this,"sCount",[]),D(this,"bsCount",[]),D(this,"blkIndent",0),D(this,
"line",0),D(this,"lineMax",0),D(this,"tight",!1),D(this,"listIndent",-1),D(this,"parentType","root"),D(this,"level",0),D(this,"Token",bt),this.src=e,this.md=t,this.
env=n,this.tokens=r;let o=this.src;for(let i=0,s=0,a=0,l=0,c=o.length,u=!1;s<c;s++){let f=o.charCodeAt(s);if(!u)if(X(f)){a++,f===9?l+=4-l%4:l++;continue}else u=
!0;(f===10||s===c-1)&&(f!==10&&s++,this.bMarks.push(i),this.eMarks.push(s),this.tShift.push(a),this.sCount.push(l),this.bsCount.push(0),u=!1,a=0,l=0,i=s+1)}this.
bMarks.push(o.length),this.eMarks.push(o.length),this.tShift.push(0),this.sCount.push(0),this.bsCount.push(0),this.lineMax=this.bMarks.length-1}push(e,t,n){let r=new bt(
e,t,n);return r.block=!0,n<0&&this.level--,r.level=this.level,n>0&&this.level++,this.tokens.push(r),r}isEmpty(e){return this.bMarks[e]+this.tShift[e]>=this.eMarks[e]}skipEmptyLines(e){
for(let t=this.lineMax;e<t&&!(this.bMarks[e]+this.tShift[e]<this.eMarks[e]);e++);return e}skipSpaces(e){for(let t=this.src.length;e<t&&X(this.src.charCodeAt(e));e++)
;return e}skipSpacesBack(e,t){if(e<=t)return e;for(;e>t;)if(!X(this.src.charCodeAt(--e)))return e+1;return e}skipChars(e,t){for(let n=this.src.length;e<n&&this.
src.charCodeAt(e)===t;e++);return e}skipCharsBack(e,t,n){if(e<=n)return e;for(;e>n;)if(t!==this.src.charCodeAt(--e))return e+1;return e}getLines(e,t,n,r){if(e>=
t)return"";let o=new Array(t-e);for(let i=0,s=e;s<t;s++,i++){let a=0,l=this.bMarks[s],c=l,u;for(s+1<t||r?u=this.eMarks[s]+1:u=this.eMarks[s];c<u&&a<n;){let f=this.
src.charCodeAt(c);if(X(f))f===9?a+=4-(a+this.bsCount[s])%4:a++;else if(c-l<this.tShift[s])a++;else break;c++}a>n?o[i]=new Array(a-n+1).join(" ")+this.src.slice(
c,u):o[i]=this.src.slice(c,u)}return o.join("")}},xh=65536;function Go(e,t){let n=e.bMarks[t]+e.tShift[t],r=e.eMarks[t];return e.src.slice(n,r)}function Ha(e){let t=[],
n=e.length,r=0,o=e.charCodeAt(r),i=!1,s=0,a="";for(;r<n;)o===124&&(i?(a+=e.substring(s,r-1),s=r):(t.push(a+e.substring(s,r)),a="",s=r+1)),i=o===92,r++,o=e.charCodeAt(
r);return t.push(a+e.substring(s)),t}function Eh(e,t,n,r){if(t+2>n)return!1;let o=t+1;if(e.sCount[o]<e.blkIndent||e.sCount[o]-e.blkIndent>=4)return!1;let i=e.bMarks[o]+
e.tShift[o];if(i>=e.eMarks[o])return!1;let s=e.src.charCodeAt(i++);if(s!==124&&s!==45&&s!==58||i>=e.eMarks[o])return!1;let a=e.src.charCodeAt(i++);if(a!==124&&a!==
45&&a!==58&&!X(a)||s===45&&X(a))return!1;for(;i<e.eMarks[o];){let y=e.src.charCodeAt(i);if(y!==124&&y!==45&&y!==58&&!X(y))return!1;i++}let l=Go(e,t+1),c=l.split(
"|"),u=[];for(let y=0;y<c.length;y++){let x=c[y].trim();if(!x){if(y===0||y===c.length-1)continue;return!1}if(!/^:?-+:?$/.test(x))return!1;x.charCodeAt(x.length-
1)===58?u.push(x.charCodeAt(0)===58?"center":"right"):x.charCodeAt(0)===58?u.push("left"):u.push("")}if(l=Go(e,t).trim(),l.indexOf("|")===-1||e.sCount[t]-e.blkIndent>=
4)return!1;c=Ha(l),c.length&&c[0]===""&&c.shift(),c.length&&c[c.length-1]===""&&c.pop();let f=c.length;if(f===0||f!==u.length)return!1;if(r)return!0;let m=e.parentType;
e.parentType="table";let d=e.md.block.ruler.getRules("blockquote"),p=e.push("table_open","table",1),_=[t,0];p.map=_;let k=e.push("thead_open","thead",1);k.map=[
t,t+1];let v=e.push("tr_open","tr",1);v.map=[t,t+1];for(let y=0;y<c.length;y++){let x=e.push("th_open","th",1);u[y]&&(x.attrs=[["style",`text-align:${u[y]}`]]);
let C=e.push("inline","",0);C.content=c[y].trim(),C.children=[],e.push("th_close","th",-1)}e.push("tr_close","tr",-1),e.push("thead_close","thead",-1);let b,w=0;
for(o=t+2;o<n&&!(e.sCount[o]<e.blkIndent);o++){let y=!1;for(let C=0,$=d.length;C<$;C++)if(d[C](e,o,n,!0)){y=!0;break}if(y||(l=Go(e,o).trim(),!l)||e.sCount[o]-e.
blkIndent>=4||(c=Ha(l),c.length&&c[0]===""&&c.shift(),c.length&&c[c.length-1]===""&&c.pop(),w+=f-c.length,w>xh))break;if(o===t+2){let C=e.push("tbody_open","tbo\
dy",1);C.map=b=[t+2,0]}let x=e.push("tr_open","tr",1);x.map=[o,o+1];for(let C=0;C<f;C++){let $=e.push("td_open","td",1);u[C]&&($.attrs=[["style",`text-align:${u[C]}`]]);
let N=e.push("inline","",0);N.content=c[C]?c[C].trim():"",N.children=[],e.push("td_close","td",-1)}e.push("tr_close","tr",-1)}return b&&(e.push("tbody_close","t\
body",-1),b[1]=o),e.push("table_close","table",-1),_[1]=o,e.parentType=m,e.line=o,!0}function Ch(e,t,n){if(e.sCount[t]-e.blkIndent<4)return!1;let r=t+1,o=r;for(;r<
n;){if(e.isEmpty(r)){r++;continue}if(e.sCount[r]-e.blkIndent>=4){r++,o=r;continue}break}e.line=o;let i=e.push("code_block","code",0);return i.content=e.getLines(
t,o,4+e.blkIndent,!1)+`
`,i.map=[t,e.line],!0}function Rh(e,t,n,r){let o=e.bMarks[t]+e.tShift[t],i=e.eMarks[t];if(e.sCount[t]-e.blkIndent>=4||o+3>i)return!1;let s=e.src.charCodeAt(o);if(s!==
126&&s!==96)return!1;let a=o;o=e.skipChars(o,s);let l=o-a;if(l<3)return!1;let c=e.src.slice(a,o),u=e.src.slice(o,i);if(s===96&&u.indexOf(String.fromCharCode(s))>=
0)return!1;if(r)return!0;let f=t,m=!1;for(;f++,!(f>=n||(o=a=e.bMarks[f]+e.tShift[f],i=e.eMarks[f],o<i&&e.sCount[f]<e.blkIndent));)if(e.src.charCodeAt(o)===s&&!(e.
sCount[f]-e.blkIndent>=4)&&(o=e.skipChars(o,s),!(o-a<l)&&(o=e.skipSpaces(o),!(o<i)))){m=!0;break}l=e.sCount[t],e.line=f+(m?1:0);let d=e.push("fence","code",0);return d.
info=u,d.content=e.getLines(t+1,f,l,!0),d.markup=c,d.map=[t,e.line],!0}function Ah(e,t,n,r){let o=e.bMarks[t]+e.tShift[t],i=e.eMarks[t],s=e.lineMax;if(e.sCount[t]-
e.blkIndent>=4||e.src.charCodeAt(o)!==62)return!1;if(r)return!0;let a=[],l=[],c=[],u=[],f=e.md.block.ruler.getRules("blockquote"),m=e.parentType;e.parentType="b\
lockquote";let d=!1,p;for(p=t;p<n;p++){let w=e.sCount[p]<e.blkIndent;if(o=e.bMarks[p]+e.tShift[p],i=e.eMarks[p],o>=i)break;if(e.src.charCodeAt(o++)===62&&!w){let x=e.
sCount[p]+1,C,$;e.src.charCodeAt(o)===32?(o++,x++,$=!1,C=!0):e.src.charCodeAt(o)===9?(C=!0,(e.bsCount[p]+x)%4===3?(o++,x++,$=!1):$=!0):C=!1;let N=x;for(a.push(e.
bMarks[p]),e.bMarks[p]=o;o<i;){let I=e.src.charCodeAt(o);if(X(I))I===9?N+=4-(N+e.bsCount[p]+($?1:0))%4:N++;else break;o++}d=o>=i,l.push(e.bsCount[p]),e.bsCount[p]=
e.sCount[p]+1+(C?1:0),c.push(e.sCount[p]),e.sCount[p]=N-x,u.push(e.tShift[p]),e.tShift[p]=o-e.bMarks[p];continue}if(d)break;let y=!1;for(let x=0,C=f.length;x<C;x++)
if(f[x](e,p,n,!0)){y=!0;break}if(y){e.lineMax=p,e.blkIndent!==0&&(a.push(e.bMarks[p]),l.push(e.bsCount[p]),u.push(e.tShift[p]),c.push(e.sCount[p]),e.sCount[p]-=
e.blkIndent);break}a.push(e.bMarks[p]),l.push(e.bsCount[p]),u.push(e.tShift[p]),c.push(e.sCount[p]),e.sCount[p]=-1}let _=e.blkIndent;e.blkIndent=0;let k=e.push(
"blockquote_open","blockquote",1);k.markup=">";let v=[t,0];k.map=v,e.md.block.tokenize(e,t,p);let b=e.push("blockquote_close","blockquote",-1);b.markup=">",e.lineMax=
s,e.parentType=m,v[1]=e.line;for(let w=0;w<u.length;w++)e.bMarks[w+t]=a[w],e.tShift[w+t]=u[w],e.sCount[w+t]=c[w],e.bsCount[w+t]=l[w];return e.blkIndent=_,!0}function Dh(e,t,n,r){
let o=e.eMarks[t];if(e.sCount[t]-e.blkIndent>=4)return!1;let i=e.bMarks[t]+e.tShift[t],s=e.src.charCodeAt(i++);if(s!==42&&s!==45&&s!==95)return!1;let a=1;for(;i<
o;){let c=e.src.charCodeAt(i++);if(c!==s&&!X(c))return!1;c===s&&a++}if(a<3)return!1;if(r)return!0;e.line=t+1;let l=e.push("hr","hr",0);return l.map=[t,e.line],l.
markup=Array(a+1).join(String.fromCharCode(s)),!0}function Ja(e,t){let n=e.eMarks[t],r=e.bMarks[t]+e.tShift[t],o=e.src.charCodeAt(r++);return o!==42&&o!==45&&o!==
43||r<n&&!X(e.src.charCodeAt(r))?-1:r}function qa(e,t){let n=e.bMarks[t]+e.tShift[t],r=e.eMarks[t],o=n;if(o+1>=r)return-1;let i=e.src.charCodeAt(o++);if(i<48||i>
57)return-1;for(;;){if(o>=r)return-1;if(i=e.src.charCodeAt(o++),i>=48&&i<=57){if(o-n>=10)return-1;continue}if(i===41||i===46)break;return-1}return o<r&&(i=e.src.
charCodeAt(o),!X(i))?-1:o}function Sh(e,t){let n=e.level+2;for(let r=t+2,o=e.tokens.length-2;r<o;r++)e.tokens[r].level===n&&e.tokens[r].type==="paragraph_open"&&
(e.tokens[r+2].hidden=!0,e.tokens[r].hidden=!0,r+=2)}function $h(e,t,n,r){let o,i,s,a,l=t,c=!0;if(e.sCount[l]-e.blkIndent>=4||e.listIndent>=0&&e.sCount[l]-e.listIndent>=
4&&e.sCount[l]<e.blkIndent)return!1;let u=!1;r&&e.parentType==="paragraph"&&e.sCount[l]>=e.blkIndent&&(u=!0);let f,m,d;if((d=qa(e,l))>=0){if(f=!0,s=e.bMarks[l]+
e.tShift[l],m=Number(e.src.slice(s,d-1)),u&&m!==1)return!1}else if((d=Ja(e,l))>=0)f=!1;else return!1;if(u&&e.skipSpaces(d)>=e.eMarks[l])return!1;if(r)return!0;let p=e.
src.charCodeAt(d-1),_=e.tokens.length;f?(a=e.push("ordered_list_open","ol",1),m!==1&&(a.attrs=[["start",m]])):a=e.push("bullet_list_open","ul",1);let k=[l,0];a.
map=k,a.markup=String.fromCharCode(p);let v=!1,b=e.md.block.ruler.getRules("list"),w=e.parentType;for(e.parentType="list";l<n;){i=d,o=e.eMarks[l];let y=e.sCount[l]+
d-(e.bMarks[l]+e.tShift[l]),x=y;for(;i<o;){let se=e.src.charCodeAt(i);if(se===9)x+=4-(x+e.bsCount[l])%4;else if(se===32)x++;else break;i++}let C=i,$;C>=o?$=1:$=
x-y,$>4&&($=1);let N=y+$;a=e.push("list_item_open","li",1),a.markup=String.fromCharCode(p);let I=[l,0];a.map=I,f&&(a.info=e.src.slice(s,d-1));let U=e.tight,L=e.
tShift[l],z=e.sCount[l],H=e.listIndent;if(e.listIndent=e.blkIndent,e.blkIndent=N,e.tight=!0,e.tShift[l]=C-e.bMarks[l],e.sCount[l]=x,C>=o&&e.isEmpty(l+1)?e.line=
Math.min(e.line+2,n):e.md.block.tokenize(e,l,n),(!e.tight||v)&&(c=!1),v=e.line-l>1&&e.isEmpty(e.line-1),e.blkIndent=e.listIndent,e.listIndent=H,e.tShift[l]=L,e.
sCount[l]=z,e.tight=U,a=e.push("list_item_close","li",-1),a.markup=String.fromCharCode(p),l=e.line,I[1]=l,l>=n||e.sCount[l]<e.blkIndent||e.sCount[l]-e.blkIndent>=
4)break;let te=!1;for(let se=0,E=b.length;se<E;se++)if(b[se](e,l,n,!0)){te=!0;break}if(te)break;if(f){if(d=qa(e,l),d<0)break;s=e.bMarks[l]+e.tShift[l]}else if(d=
Ja(e,l),d<0)break;if(p!==e.src.charCodeAt(d-1))break}return f?a=e.push("ordered_list_close","ol",-1):a=e.push("bullet_list_close","ul",-1),a.markup=String.fromCharCode(
p),k[1]=l,e.line=l,e.parentType=w,c&&Sh(e,_),!0}var Zo=999;function Th(e){let t=e.length;for(let n=0;n<e.length-1;n++){let r=e.charCodeAt(n);if(r<55296||r>56319)
continue;let o=e.charCodeAt(n+1);o>=56320&&o<=57343&&(t--,n++)}return t}function bn(e,t){return Math.min(e.eMarks[t]+1,e.src.length)}function pr(e,t){let n=e.lineMax;
if(t>=n||e.isEmpty(t))return-1;let r=!1;if(e.sCount[t]-e.blkIndent>3&&(r=!0),e.sCount[t]<0&&(r=!0),!r){let o=e.md.block.ruler.getRules("reference"),i=e.parentType;
e.parentType="reference";let s=!1;for(let a=0,l=o.length;a<l;a++)if(o[a](e,t,n,!0)){s=!0;break}if(e.parentType=i,s)return-1}return e.bMarks[t]+e.tShift[t]}function Mh(e,t,n,r){
let o=e.src,i=e.bMarks[t]+e.tShift[t],s=t+1;if(e.sCount[t]-e.blkIndent>=4||o.charCodeAt(i)!==91)return!1;let a=bn(e,t),l="",c=-1,u=++i;for(;i<a;){if(l.length+i-
u>Zo*2)return!1;let C=o.charCodeAt(i);if(C===91)return!1;if(C===93){c=i;break}if(C===92&&(C=o.charCodeAt(++i)),C===10&&i<a){let $=pr(e,s);if($<0)return!1;l+=o.slice(
u,a),i=u=$,a=bn(e,s++);continue}i++}if(c<0||o.charCodeAt(c+1)!==58||(l+=o.slice(u,c),l.length>Zo&&Th(l)>Zo))return!1;for(i=c+2;i<a;){let C=o.charCodeAt(i);if(C===
10){let $=pr(e,s);if($<0)break;i=$,a=bn(e,s++)}else if(X(C))i++;else break}let f=e.md.helpers.parseLinkDestination(o,i,a);if(!f.ok)return!1;let m=e.md.normalizeLink(
f.str);if(!e.md.validateLink(m))return!1;i=f.pos;let d=i,p=a,_=s;for(;i<a;){let C=o.charCodeAt(i);if(C===10){let $=pr(e,s);if($<0)break;i=$,a=bn(e,s++)}else if(X(
C))i++;else break}let k=i,v=e.md.helpers.parseLinkTitle(o,i,a);for(;v.can_continue;){let C=pr(e,s);if(C<0)break;i=C,a=bn(e,s++),v=e.md.helpers.parseLinkTitle(o,
i,a,v)}let b;for(k!==d&&v.ok?(b=v.str,i=v.pos):(b="",i=d,a=p,s=_);i<a&&X(o.charCodeAt(i));)i++;if(i<a&&o.charCodeAt(i)!==10&&b)for(b="",i=d,a=p,s=_;i<a&&X(o.charCodeAt(
i));)i++;if(i<a&&o.charCodeAt(i)!==10)return!1;let w=gr(l);if(!w)return!1;if(r)return!0;typeof e.env.references>"u"&&(e.env.references={}),typeof e.env.references[w]>
"u"&&(e.env.references[w]={title:b,href:m});let y=e.push("reference_definition","",0);y.map=[t,s],y.hidden=!0;let x=Object.create(null);return x.label=w,y.meta=
x,e.line=s,!0}var Nh=["address","article","aside","base","basefont","blockquote","body","caption","center","col","colgroup","dd","details","dialog","dir","div",
"dl","dt","fieldset","figcaption","figure","footer","form","frame","frameset","h1","h2","h3","h4","h5","h6","head","header","hr","html","iframe","legend","li","\
link","main","menu","menuitem","nav","noframes","ol","optgroup","option","p","param","search","section","summary","table","tbody","td","tfoot","th","thead","tit\
le","tr","track","ul"],sl=`<[A-Za-z][A-Za-z0-9\\-]*(?:\\s+[a-zA-Z_:][a-zA-Z0-9:._-]*(?:\\s*=\\s*(?:[^"'=<>\`\\x00-\\x20]+|'[^']*'|"[^"]*"))?)*\\s*\\/?>`,al="<\\/\
[A-Za-z][A-Za-z0-9\\-]*\\s*>";new RegExp(`^(?:${sl}|${al}|<!---?>|<!--(?:[^-]|-[^-]|--[^>])*-->|<[?][\\s\\S]*?[?]>|<![A-Za-z][^>]*>|<!\\[CDATA\\[[\\s\\S]*?\\]\\]>)`);
var ll=new RegExp(`^(?:${sl}|${al})`),_t=[[/^<(script|pre|style|textarea)(?=(\s|>|$))/i,/<\/(script|pre|style|textarea)>/i,!0],[/^<!--/,/-->/,!0],[/^<\?/,/\?>/,
!0],[/^<![A-Za-z]/,/>/,!0],[/^<!\[CDATA\[/,/\]\]>/,!0],[new RegExp(`^</?(${Nh.join("|")})(?=(\\s|/?>|$))`,"i"),/^$/,!0],[new RegExp(`${ll.source}\\s*$`),/^$/,!1]];
function Ih(e,t,n,r){let o=e.bMarks[t]+e.tShift[t],i=e.eMarks[t];if(e.sCount[t]-e.blkIndent>=4||!e.md.options.html||e.src.charCodeAt(o)!==60)return!1;let s=e.src.
slice(o,i),a=0;for(;a<_t.length&&!_t[a][0].test(s);a++);if(a===_t.length)return!1;if(r)return _t[a][2];let l=t+1,c=_t[a][1].test("");if(!_t[a][1].test(s)){for(;l<
n&&!(e.sCount[l]<e.blkIndent&&(c||!e.isEmpty(l)));l++)if(o=e.bMarks[l]+e.tShift[l],i=e.eMarks[l],s=e.src.slice(o,i),_t[a][1].test(s)){s.length!==0&&l++;break}}e.
line=l;let u=e.push("html_block","",0);return u.map=[t,l],u.content=e.getLines(t,l,e.blkIndent,!0),!0}function Fh(e,t,n,r){let o=e.bMarks[t]+e.tShift[t],i=e.eMarks[t];
if(e.sCount[t]-e.blkIndent>=4)return!1;let s=e.src.charCodeAt(o);if(s!==35||o>=i)return!1;let a=1;for(s=e.src.charCodeAt(++o);s===35&&o<i&&a<=6;)a++,s=e.src.charCodeAt(
++o);if(a>6||o<i&&!X(s))return!1;if(r)return!0;i=e.skipSpacesBack(i,o);let l=e.skipCharsBack(i,35,o);l>o&&X(e.src.charCodeAt(l-1))&&(i=l),e.line=t+1;let c=e.push(
"heading_open",`h${a}`,1);c.markup="########".slice(0,a),c.map=[t,e.line];let u=e.push("inline","",0);u.content=_r(e.src.slice(o,i)),u.map=[t,e.line],u.children=
[];let f=e.push("heading_close",`h${a}`,-1);return f.markup="########".slice(0,a),!0}function Oh(e,t,n){let r=e.md.block.ruler.getRules("paragraph");if(e.sCount[t]-
e.blkIndent>=4)return!1;let o=e.parentType;e.parentType="paragraph";let i=0,s,a=t+1;for(;a<n&&!e.isEmpty(a);a++){if(e.sCount[a]-e.blkIndent>3)continue;if(e.sCount[a]>=
e.blkIndent){let d=e.bMarks[a]+e.tShift[a],p=e.eMarks[a];if(d<p&&(s=e.src.charCodeAt(d),(s===45||s===61)&&(d=e.skipChars(d,s),d=e.skipSpaces(d),d>=p))){i=s===61?
1:2;break}}if(e.sCount[a]<0)continue;let m=!1;for(let d=0,p=r.length;d<p;d++)if(r[d](e,a,n,!0)){m=!0;break}if(m)break}if(!i)return e.parentType=o,!1;let l=_r(e.
getLines(t,a,e.blkIndent,!1));e.line=a+1;let c=e.push("heading_open",`h${i}`,1);c.markup=String.fromCharCode(s),c.map=[t,e.line];let u=e.push("inline","",0);u.content=
l,u.map=[t,e.line-1],u.children=[];let f=e.push("heading_close",`h${i}`,-1);return f.markup=String.fromCharCode(s),e.parentType=o,!0}function Lh(e,t,n){let r=e.
md.block.ruler.getRules("paragraph"),o=e.parentType,i=t+1;for(e.parentType="paragraph";i<n&&!e.isEmpty(i);i++){if(e.sCount[i]-e.blkIndent>3||e.sCount[i]<0)continue;
let c=!1;for(let u=0,f=r.length;u<f;u++)if(r[u](e,i,n,!0)){c=!0;break}if(c)break}let s=_r(e.getLines(t,i,e.blkIndent,!1));e.line=i;let a=e.push("paragraph_open",
"p",1);a.map=[t,e.line];let l=e.push("inline","",0);return l.content=s,l.map=[t,e.line],l.children=[],e.push("paragraph_close","p",-1),e.parentType=o,!0}var mr=[
["table",Eh,["paragraph","reference"]],["code",Ch],["fence",Rh,["paragraph","reference","blockquote","list"]],["blockquote",Ah,["paragraph","reference","blockqu\
ote","list"]],["hr",Dh,["paragraph","reference","blockquote","list"]],["list",$h,["paragraph","reference","blockquote"]],["reference",Mh],["html_block",Ih,["par\
agraph","reference","blockquote"]],["heading",Fh,["paragraph","reference","blockquote"]],["lheading",Oh],["paragraph",Lh]],cl=class{constructor(){D(this,"ruler",
new En),D(this,"State",il);for(let e=0;e<mr.length;e++)this.ruler.push(mr[e][0],mr[e][1],{alt:(mr[e][2]||[]).slice()})}tokenize(e,t,n){let r=this.ruler.getRules(
""),o=r.length,i=e.md.options.maxNesting,s=t,a=!1;for(;s<n&&(e.line=s=e.skipEmptyLines(s),!(s>=n||e.sCount[s]<e.blkIndent));){if(e.level>=i){e.line=n;break}let l=e.
line,c=!1;for(let u=0;u<o;u++)if(c=r[u](e,s,n,!1),c){if(l>=e.line)throw new Error("block rule didn't increment state.line");break}if(!c)throw new Error("none of\
 the block rules matched");e.tight=!a,e.isEmpty(e.line-1)&&(a=!0),s=e.line,s<n&&e.isEmpty(s)&&(a=!0,s++,e.line=s)}}parse(e,t,n,r){if(!e)return;let o=new this.State(
e,t,n,r);this.tokenize(o,o.line,o.lineMax)}},ul=class{constructor(e,t,n,r){D(this,"pos",0),D(this,"level",0),D(this,"pending",""),D(this,"pendingLevel",0),D(this,
"cache",{}),D(this,"backticks",{}),D(this,"backticksScanned",!1),D(this,"skipHtmlSpecial",!1),D(this,"linkLevel",0),D(this,"delimiters",[]),D(this,"_prev_delimi\
ters",[]),D(this,"Token",bt),this.src=e,this.env=n,this.md=t,this.tokens=r,this.tokens_meta=Array(r.length),this.posMax=this.src.length}pushPending(){let e=new bt(
"text","",0);return e.content=this.pending,e.level=this.pendingLevel,this.tokens.push(e),this.pending="",e}push(e,t,n){this.pending&&this.pushPending();let r=new bt(
e,t,n),o;return n<0&&(this.level--,this.delimiters=this._prev_delimiters.pop()),r.level=this.level,n>0&&(this.level++,this._prev_delimiters.push(this.delimiters),
this.delimiters=[],o={delimiters:this.delimiters}),this.pendingLevel=this.level,this.tokens.push(r),this.tokens_meta.push(o),r}scanDelims(e,t){let n=this.posMax,
r=this.src.charCodeAt(e),o;if(e===0)o=32;else if(e===1)o=this.src.charCodeAt(0),(o&63488)===55296&&(o=65533);else if(o=this.src.charCodeAt(e-1),(o&64512)===56320){
let p=this.src.charCodeAt(e-2);o=(p&64512)===55296?65536+(p-55296<<10)+(o-56320):65533}else(o&64512)===55296&&(o=65533);let i=e;for(;i<n&&this.src.charCodeAt(i)===
r;)i++;let s=i-e,a=i<n?this.src.charCodeAt(i):32;if((a&64512)===55296){let p=this.src.charCodeAt(i+1);a=(p&64512)===56320?65536+(a-55296<<10)+(p-56320):65533}else
(a&64512)===56320&&(a=65533);let l=wn(o)||yn(o),c=wn(a)||yn(a),u=kn(o),f=kn(a),m=!f&&(!c||u||l),d=!u&&(!l||f||c);return{can_open:m&&(t||!d||l),can_close:d&&(t||
!m||c),length:s}}};function Bh(e){switch(e){case 10:case 33:case 35:case 36:case 37:case 38:case 42:case 43:case 45:case 58:case 60:case 61:case 62:case 64:case 91:case 92:case 93:case 94:case 95:case 96:case 123:case 125:case 126:
return!0;default:return!1}}function Ph(e,t){let n=e.pos;for(;n<e.posMax&&!Bh(e.src.charCodeAt(n));)n++;return n===e.pos?!1:(t||(e.pending+=e.src.slice(e.pos,n)),
e.pos=n,!0)}function Uh(e){return e>=65&&e<=90||e>=97&&e<=122}function jh(e){return e>=65&&e<=90||e>=97&&e<=122||e>=48&&e<=57||e===43||e===45||e===46}function zh(e,t){
if(!e.md.options.linkify||e.linkLevel>0)return!1;let n=e.pos,r=e.posMax;if(n+3>r||e.src.charCodeAt(n)!==58||e.src.charCodeAt(n+1)!==47||e.src.charCodeAt(n+2)!==
47)return!1;let o=n-Math.min(10,e.pending.length,n),i=n;for(;i>o&&jh(e.src.charCodeAt(i-1));)i--;if(i===n||!Uh(e.src.charCodeAt(i)))return!1;let s=n-i,a=e.md.linkify.
matchAtStart(e.src.slice(i));if(!a)return!1;let l=a.url;if(l.length<=s)return!1;let c=l.length;for(;c>0&&l.charCodeAt(c-1)===42;)c--;c!==l.length&&(l=l.slice(0,
c));let u=e.md.normalizeLink(l);if(!e.md.validateLink(u))return!1;if(!t){e.pending=e.pending.slice(0,-s);let f=e.push("link_open","a",1);f.attrs=[["href",u]],f.
markup="linkify",f.info="auto";let m=e.push("text","",0);m.content=e.md.normalizeLinkText(l);let d=e.push("link_close","a",-1);d.markup="linkify",d.info="auto"}
return e.pos+=l.length-s,!0}function Wh(e,t){let n=e.pos;if(e.src.charCodeAt(n)!==10)return!1;let r=e.pending.length-1,o=e.posMax;if(!t)if(r>=0&&e.pending.charCodeAt(
r)===32)if(r>=1&&e.pending.charCodeAt(r-1)===32){let i=r-1;for(;i>=1&&e.pending.charCodeAt(i-1)===32;)i--;e.pending=e.pending.slice(0,i),e.push("hardbreak","br",
0)}else e.pending=e.pending.slice(0,-1),e.push("softbreak","br",0);else e.push("softbreak","br",0);for(n++;n<o&&X(e.src.charCodeAt(n));)n++;return e.pos=n,!0}var Qo=[];
for(let e=0;e<256;e++)Qo.push(0);"\\!\"#$%&'()*+,./:;<=>?@[]^_`{|}~-".split("").forEach(function(e){Qo[e.charCodeAt(0)]=1});function Hh(e,t){let n=e.pos,r=e.posMax;
if(e.src.charCodeAt(n)!==92||(n++,n>=r))return!1;let o=e.src.charCodeAt(n);if(o===10){for(t||e.push("hardbreak","br",0),n++;n<r&&(o=e.src.charCodeAt(n),!!X(o));)
n++;return e.pos=n,!0}if(o===32){if(!t){let a=e.push("text_special","",0);a.content="\\",a.markup="\\",a.info="escape"}return e.pos=n,!0}let i=e.src[n];if(o>=55296&&
o<=56319&&n+1<r){let a=e.src.charCodeAt(n+1);a>=56320&&a<=57343&&(i+=e.src[n+1],n++)}let s="\\"+i;if(!t){let a=e.push("text_special","",0);o<256&&Qo[o]!==0?a.content=
i:a.content=s,a.markup=s,a.info="escape"}return e.pos=n+1,!0}function Jh(e){let t={},n=0;for(;(n=e.indexOf("`",n))!==-1;){let r=n;for(;e.charCodeAt(++n)===96;);
t[n-r]=r}return t}function qh(e,t){var n;let r=e.pos;if(e.src.charCodeAt(r)!==96)return!1;let o=e.posMax,i=r+1;for(;i<o&&e.src.charCodeAt(i)===96;)i++;let s=e.src.
slice(r,i),a=s.length;if(e.backticksScanned||(e.backticks=Jh(e.src),e.backticksScanned=!0),((n=e.backticks[a])!==null&&n!==void 0?n:-1)>=i){let l=i,c;for(;(c=e.
src.indexOf("`",l))!==-1&&c<o;){for(l=c+1;e.src.charCodeAt(l)===96;)l++;if(l>o)break;if(l-c===a){if(!t){let u=e.push("code_inline","code",0);u.markup=s;let f=e.
src.slice(i,c).replace(/\n/g," ");f.startsWith(" ")&&f.endsWith(" ")&&/[^ ]/.test(f)&&(f=f.slice(1,-1)),u.content=f}return e.pos=l,!0}}}return t||(e.pending+=s),
e.pos=i,!0}function Kh(e,t){let n=e.pos,r=e.src.charCodeAt(n);if(t||r!==126)return!1;let o=e.scanDelims(e.pos,!0),i=o.length,s=String.fromCharCode(r);if(i<2)return!1;
let a;i%2&&(a=e.push("text","",0),a.content=s,i--);for(let l=0;l<i;l+=2)a=e.push("text","",0),a.content=s+s,e.delimiters.push({marker:r,length:0,token:e.tokens.
length-1,end:-1,open:o.can_open,close:o.can_close});return e.pos+=o.length,!0}function Ka(e,t){let n,r=[],o=t.length;for(let i=0;i<o;i++){let s=t[i];if(s.marker!==
126||s.end===-1)continue;let a=t[s.end];n=e.tokens[s.token],n.type="s_open",n.tag="s",n.nesting=1,n.markup="~~",n.content="",n=e.tokens[a.token],n.type="s_close",
n.tag="s",n.nesting=-1,n.markup="~~",n.content="",e.tokens[a.token-1].type==="text"&&e.tokens[a.token-1].content==="~"&&r.push(a.token-1)}for(;r.length;){let i=r.
pop(),s=i+1;for(;s<e.tokens.length&&e.tokens[s].type==="s_close";)s++;s--,i!==s&&(n=e.tokens[s],e.tokens[s]=e.tokens[i],e.tokens[i]=n)}}function Gh(e){let t=e.tokens_meta,
n=e.tokens_meta.length;Ka(e,e.delimiters);for(let o=0;o<n;o++){var r;let i=(r=t[o])===null||r===void 0?void 0:r.delimiters;i&&Ka(e,i)}}var fl={tokenize:Kh,postProcess:Gh};
function Zh(e,t){let n=e.pos,r=e.src.charCodeAt(n);if(t||r!==95&&r!==42)return!1;let o=e.scanDelims(e.pos,r===42);for(let i=0;i<o.length;i++){let s=e.push("text",
"",0);s.content=String.fromCharCode(r),e.delimiters.push({marker:r,length:o.length,token:e.tokens.length-1,end:-1,open:o.can_open,close:o.can_close})}return e.pos+=
o.length,!0}function Ga(e,t){let n=t.length;for(let r=n-1;r>=0;r--){let o=t[r];if(o.marker!==95&&o.marker!==42||o.end===-1)continue;let i=t[o.end],s=r>0&&t[r-1].
end===o.end+1&&t[r-1].marker===o.marker&&t[r-1].token===o.token-1&&t[o.end+1].token===i.token+1,a=String.fromCharCode(o.marker),l=e.tokens[o.token];l.type=s?"st\
rong_open":"em_open",l.tag=s?"strong":"em",l.nesting=1,l.markup=s?a+a:a,l.content="";let c=e.tokens[i.token];c.type=s?"strong_close":"em_close",c.tag=s?"strong":
"em",c.nesting=-1,c.markup=s?a+a:a,c.content="",s&&(e.tokens[t[r-1].token].content="",e.tokens[t[o.end+1].token].content="",r--)}}function Xh(e){let t=e.tokens_meta,
n=e.tokens_meta.length;Ga(e,e.delimiters);for(let o=0;o<n;o++){var r;let i=(r=t[o])===null||r===void 0?void 0:r.delimiters;i&&Ga(e,i)}}var dl={tokenize:Zh,postProcess:Xh};
function Vh(e,t){let n,r,o,i,s="",a="",l=e.pos,c=!0;if(e.src.charCodeAt(e.pos)!==91)return!1;let u=e.pos,f=e.posMax,m=e.pos+1,d=e.md.helpers.parseLinkLabel(e,e.
pos,!0);if(d<0)return!1;let p=d+1;if(p<f&&e.src.charCodeAt(p)===40){for(c=!1,p++;p<f&&(n=e.src.charCodeAt(p),!(!X(n)&&n!==10));p++);if(p>=f)return!1;if(l=p,o=e.
md.helpers.parseLinkDestination(e.src,p,e.posMax),o.ok){for(s=e.md.normalizeLink(o.str),e.md.validateLink(s)?p=o.pos:s="",l=p;p<f&&(n=e.src.charCodeAt(p),!(!X(n)&&
n!==10));p++);if(o=e.md.helpers.parseLinkTitle(e.src,p,e.posMax),p<f&&l!==p&&o.ok)for(a=o.str,p=o.pos;p<f&&(n=e.src.charCodeAt(p),!(!X(n)&&n!==10));p++);}(p>=f||
e.src.charCodeAt(p)!==41)&&(c=!0),p++}if(c){if(typeof e.env.references>"u")return!1;if(p<f&&e.src.charCodeAt(p)===91?(l=p+1,p=e.md.helpers.parseLinkLabel(e,p),p>=
0?r=e.src.slice(l,p++):p=d+1):p=d+1,r||(r=e.src.slice(m,d)),r=gr(r),i=e.env.references[r],!i)return e.pos=u,!1;s=i.href,a=i.title}if(!t){e.pos=m,e.posMax=d;let _=e.
push("link_open","a",1),k=[["href",s]];if(_.attrs=k,a&&k.push(["title",a]),r){let v=Object.create(null);v.label=r,_.meta=v}e.linkLevel++,e.md.inline.tokenize(e),
e.linkLevel--,e.push("link_close","a",-1)}return e.pos=p,e.posMax=f,!0}function Yh(e,t){let n,r,o,i,s,a,l,c,u="",f=e.pos,m=e.posMax;if(e.src.charCodeAt(e.pos)!==
33||e.src.charCodeAt(e.pos+1)!==91)return!1;let d=e.pos+2,p=e.md.helpers.parseLinkLabel(e,e.pos+1,!1);if(p<0)return!1;if(i=p+1,i<m&&e.src.charCodeAt(i)===40){for(i++;i<
m&&(n=e.src.charCodeAt(i),!(!X(n)&&n!==10));i++);if(i>=m)return!1;for(c=i,a=e.md.helpers.parseLinkDestination(e.src,i,e.posMax),a.ok&&(u=e.md.normalizeLink(a.str),
e.md.validateLink(u)?i=a.pos:u=""),c=i;i<m&&(n=e.src.charCodeAt(i),!(!X(n)&&n!==10));i++);if(a=e.md.helpers.parseLinkTitle(e.src,i,e.posMax),i<m&&c!==i&&a.ok)for(l=
a.str,i=a.pos;i<m&&(n=e.src.charCodeAt(i),!(!X(n)&&n!==10));i++);else l="";if(i>=m||e.src.charCodeAt(i)!==41)return e.pos=f,!1;i++}else{if(typeof e.env.references>
"u")return!1;if(i<m&&e.src.charCodeAt(i)===91?(c=i+1,i=e.md.helpers.parseLinkLabel(e,i),i>=0?o=e.src.slice(c,i++):i=p+1):i=p+1,o||(o=e.src.slice(d,p)),o=gr(o),s=
e.env.references[o],!s)return e.pos=f,!1;u=s.href,l=s.title}if(!t){r=e.src.slice(d,p);let _=[];e.md.inline.parse(r,e.md,e.env,_);let k=e.push("image","img",0),v=[
["src",u],["alt",""]];if(k.attrs=v,k.children=_,k.content=r,l&&v.push(["title",l]),o){let b=Object.create(null);b.label=o,k.meta=b}}return e.pos=i,e.posMax=m,!0}
var Qh=/^([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*)$/,ep=/^([a-zA-Z][a-zA-Z0-9+.-]{1,31}):([^<>\x00-\x20]*)$/;
function tp(e,t){let n=e.pos;if(e.src.charCodeAt(n)!==60)return!1;let r=e.pos,o=e.posMax;for(;;){if(++n>=o)return!1;let s=e.src.charCodeAt(n);if(s===60)return!1;
if(s===62)break}let i=e.src.slice(r+1,n);if(ep.test(i)){let s=e.md.normalizeLink(i);if(!e.md.validateLink(s))return!1;if(!t){let a=e.push("link_open","a",1);a.attrs=
[["href",s]],a.markup="autolink",a.info="auto";let l=e.push("text","",0);l.content=e.md.normalizeLinkText(i);let c=e.push("link_close","a",-1);c.markup="autolin\
k",c.info="auto"}return e.pos+=i.length+2,!0}if(Qh.test(i)){let s=e.md.normalizeLink(`mailto:${i}`);if(!e.md.validateLink(s))return!1;if(!t){let a=e.push("link_\
open","a",1);a.attrs=[["href",s]],a.markup="autolink",a.info="auto";let l=e.push("text","",0);l.content=e.md.normalizeLinkText(i);let c=e.push("link_close","a",
-1);c.markup="autolink",c.info="auto"}return e.pos+=i.length+2,!0}return!1}function np(e){return/^<a[>\s]/i.test(e)}function rp(e){return/^<\/a\s*>/i.test(e)}function hl(e){
let t=e|32;return t>=97&&t<=122}function op(e,t){let n=e.src,r,o;if(n.startsWith("<!--",t)){if(n.startsWith(">",t+4))return t+5;if(n.startsWith("->",t+4))return t+
6;r=t+4,o="-->"}else if(n.startsWith("<![CDATA[",t))r=t+9,o="]]>";else if(n.charCodeAt(t+1)===63)r=t+2,o="?>";else if(hl(n.charCodeAt(t+2)))r=t+3,o=">";else return-1;
if(e.skipHtmlSpecial)return-1;let i=n.indexOf(o,r);return i<0?(e.skipHtmlSpecial=!0,-1):i+o.length}function ip(e,t){if(!e.md.options.html)return!1;let n=e.posMax,
r=e.pos;if(e.src.charCodeAt(r)!==60||r+2>=n)return!1;let o,i=e.src.charCodeAt(r+1);if(i===33||i===63)o=op(e,r);else if(i===47||hl(i)){let s=e.src.slice(r).match(
ll);o=s?r+s[0].length:-1}else return!1;if(o<0)return!1;if(!t){let s=e.push("html_inline","",0);s.content=e.src.slice(r,o),np(s.content)&&e.linkLevel++,rp(s.content)&&
e.linkLevel--}return e.pos=o,!0}var sp=/^&#((?:x[a-f0-9]{1,6}|[0-9]{1,7}));/i,ap=/^&([a-z][a-z0-9]{1,31});/i;function lp(e,t){let n=e.pos,r=e.posMax;if(e.src.charCodeAt(
n)!==38||n+1>=r)return!1;if(e.src.charCodeAt(n+1)===35){let o=e.src.slice(n).match(sp);if(o){if(!t){let i=o[1][0].toLowerCase()==="x"?parseInt(o[1].slice(1),16):
parseInt(o[1],10),s=e.push("text_special","",0);s.content=Yo(i)?vn(i):vn(65533),s.markup=o[0],s.info="entity"}return e.pos+=o[0].length,!0}}else{let o=e.src.slice(
n).match(ap);if(o){let i=dr(o[0]);if(i!==o[0]){if(!t){let s=e.push("text_special","",0);s.content=i,s.markup=o[0],s.info="entity"}return e.pos+=o[0].length,!0}}}
return!1}function Za(e){let t={},n=e.length;if(!n)return;let r=0,o=-2,i=[];for(let s=0;s<n;s++){let a=e[s];if(i.push(0),(e[r].marker!==a.marker||o!==a.token-1)&&
(r=s),o=a.token,a.length=a.length||0,!a.close)continue;t.hasOwnProperty(a.marker)||(t[a.marker]=[-1,-1,-1,-1,-1,-1]);let l=t[a.marker][(a.open?3:0)+a.length%3],
c=r-i[r]-1,u=c;for(;c>l;c-=i[c]+1){let f=e[c];if(f.marker===a.marker&&f.open&&f.end<0){let m=!1;if((f.close||a.open)&&(f.length+a.length)%3===0&&(f.length%3!==0||
a.length%3!==0)&&(m=!0),!m){let d=c>0&&!e[c-1].open?i[c-1]+1:0;i[s]=s-c+d,i[c]=d,a.open=!1,f.end=s,f.close=!1,u=-1,o=-2;break}}}u!==-1&&(t[a.marker][(a.open?3:0)+
(a.length||0)%3]=u)}}function cp(e){let t=e.tokens_meta,n=e.tokens_meta.length;Za(e.delimiters);for(let o=0;o<n;o++){var r;let i=(r=t[o])===null||r===void 0?void 0:
r.delimiters;i&&Za(i)}}function up(e){let t,n,r=0,o=e.tokens,i=e.tokens.length;for(t=n=0;t<i;t++)o[t].nesting<0&&r--,o[t].level=r,o[t].nesting>0&&r++,o[t].type===
"text"&&t+1<i&&o[t+1].type==="text"?o[t+1].content=o[t].content+o[t+1].content:(t!==n&&(o[n]=o[t]),n++);t!==n&&(o.length=n)}var Xo=[["text",Ph],["linkify",zh],[
"newline",Wh],["escape",Hh],["backticks",qh],["strikethrough",fl.tokenize],["emphasis",dl.tokenize],["link",Vh],["image",Yh],["autolink",tp],["html_inline",ip],
["entity",lp]],Vo=[["balance_pairs",cp],["strikethrough",fl.postProcess],["emphasis",dl.postProcess],["fragments_join",up]],pl=class{constructor(){D(this,"ruler",
new En),D(this,"ruler2",new En),D(this,"State",ul);for(let e=0;e<Xo.length;e++)this.ruler.push(Xo[e][0],Xo[e][1]);for(let e=0;e<Vo.length;e++)this.ruler2.push(Vo[e][0],
Vo[e][1])}skipToken(e){let t=e.pos,n=this.ruler.getRules(""),r=n.length,o=e.md.options.maxNesting,i=e.cache;if(typeof i[t]<"u"){e.pos=i[t];return}let s=!1;if(e.
level<o){for(let a=0;a<r;a++)if(e.level++,s=n[a](e,!0),e.level--,s){if(t>=e.pos)throw new Error("inline rule didn't increment state.pos");break}}else e.pos=e.posMax;
s||e.pos++,i[t]=e.pos}tokenize(e){let t=this.ruler.getRules(""),n=t.length,r=e.posMax,o=e.md.options.maxNesting;for(;e.pos<r;){let i=e.pos,s=!1;if(e.level<o){for(let a=0;a<
n;a++)if(s=t[a](e,!1),s){if(i>=e.pos)throw new Error("inline rule didn't increment state.pos");break}}if(s){if(e.pos>=r)break;continue}e.pending+=e.src[e.pos++]}
e.pending&&e.pushPending()}parse(e,t,n,r){let o=new this.State(e,t,n,r);this.tokenize(o);let i=this.ruler2.getRules(""),s=i.length;for(let a=0;a<s;a++)i[a](o)}},
fp={default:{options:{html:!1,xhtmlOut:!1,breaks:!1,langPrefix:"language-",linkify:!1,typographer:!1,quotes:"“”‘’",highlight:null,maxNesting:100},components:{
core:{},block:{},inline:{}}},zero:{options:{html:!1,xhtmlOut:!1,breaks:!1,langPrefix:"language-",linkify:!1,typographer:!1,quotes:"“”‘’",highlight:null,
maxNesting:20},components:{core:{rules:["normalize","block","strip_references","inline","text_join"]},block:{rules:["paragraph"]},inline:{rules:["text"],rules2:[
"balance_pairs","fragments_join"]}}},commonmark:{options:{html:!0,xhtmlOut:!0,breaks:!1,langPrefix:"language-",linkify:!1,typographer:!1,quotes:"“”‘’",highlight:null,
maxNesting:20},components:{core:{rules:["normalize","block","strip_references","inline","text_join"]},block:{rules:["blockquote","code","fence","heading","hr","\
html_block","lheading","list","reference","paragraph"]},inline:{rules:["autolink","backticks","emphasis","entity","escape","html_inline","image","link","newline",
"text"],rules2:["balance_pairs","emphasis","fragments_join"]}}}},dp=/^(vbscript|javascript|file|data):/,hp=/^data:image\/(gif|png|jpeg|webp);/,Xa=["http:","http\
s:","mailto:"],We=class{validateLink(e){let t=e.trim().toLowerCase();return dp.test(t)?hp.test(t):!0}normalizeLink(e){let t=_n(e,!0);if(t.hostname&&(!t.protocol||
Xa.indexOf(t.protocol)>=0))try{t.hostname=qo.toASCII(t.hostname)}catch{}return t.auth&&(t.auth=nt(t.auth)),t.hostname&&(t.hostname=nt(t.hostname)),t.pathname&&(t.
pathname=nt(t.pathname)),t.search&&(t.search=nt(t.search)),t.hash&&(t.hash=nt(t.hash)),Bt(t)}normalizeLinkText(e){let t=_n(e,!0);if(t.hostname&&(!t.protocol||Xa.
indexOf(t.protocol)>=0))try{t.hostname=qo.toUnicode(t.hostname)}catch{}return gn(Bt(t),gn.defaultChars+"%")}constructor(...e){D(this,"inline",new pl),D(this,"bl\
ock",new cl),D(this,"core",new ol),D(this,"renderer",new tl),D(this,"linkify",new Pt),D(this,"utils",Fd),D(this,"helpers",Object.assign({},Vd));let[t,n]=e;typeof t==
"string"?(this.configure(t),n&&this.set(n)):(this.configure("default"),this.set(t||{}))}set(e){return Object.assign(this.options,e),this}configure(e){let t;if(typeof e==
"string"){let o=e;if(t=fp[o],!t)throw new Error(`Wrong 'markdown-it' preset "${o}", check name`)}else t=e;if(!t)throw new Error("Wrong `markdown-it` preset, can\
't be empty");t.options&&(this.options={...t.options});let n=t.components;if(n){var r;["core","block","inline"].forEach(i=>{var s;let a=(s=n[i])===null||s===void 0?
void 0:s.rules;a&&this[i].ruler.enableOnly(a)});let o=(r=n.inline)===null||r===void 0?void 0:r.rules2;o&&this.inline.ruler2.enableOnly(o)}return this}enable(e,t=!1){
let n=[];Array.isArray(e)||(e=[e]),["core","block","inline"].forEach(o=>{n=n.concat(this[o].ruler.enable(e,!0))}),n=n.concat(this.inline.ruler2.enable(e,!0));let r=e.
filter(o=>n.indexOf(o)<0);if(r.length&&!t)throw new Error(`MarkdownIt. Failed to enable unknown rule(s): ${r}`);return this}disable(e,t=!1){let n=[];Array.isArray(
e)||(e=[e]),["core","block","inline"].forEach(o=>{n=n.concat(this[o].ruler.disable(e,!0))}),n=n.concat(this.inline.ruler2.disable(e,!0));let r=e.filter(o=>n.indexOf(
o)<0);if(r.length&&!t)throw new Error(`MarkdownIt. Failed to disable unknown rule(s): ${r}`);return this}use(e,...t){return e.apply(e,[this,...t]),this}parse(e,t){
if(typeof e!="string")throw new Error("Input data should be a String");let n=new this.core.State(e,this,t);return this.core.process(n),n.tokens}render(e,t={}){return this.
renderer.render(this.parse(e,t),this.options,t)}parseInline(e,t){let n=new this.core.State(e,this,t);return n.inlineMode=!0,this.core.process(n),n.tokens}renderInline(e,t={}){
return this.renderer.render(this.parseInline(e,t),this.options,t)}};D(We,"Token",bt);D(We,"Ruler",En);D(We,"Renderer",tl);D(We,"ParserCore",ol);D(We,"StateCore",
nl);D(We,"ParserBlock",cl);D(We,"StateBlock",il);D(We,"ParserInline",pl);D(We,"StateInline",ul);var ml=Ya(We);var gl=[161,161,164,164,167,168,170,170,173,174,176,180,182,186,188,191,198,198,208,208,215,216,222,225,230,230,232,234,236,237,240,240,242,243,247,250,252,252,
254,254,257,257,273,273,275,275,283,283,294,295,299,299,305,307,312,312,319,322,324,324,328,331,333,333,338,339,358,359,363,363,462,462,464,464,466,466,468,468,
470,470,472,472,474,474,476,476,593,593,609,609,708,708,711,711,713,715,717,717,720,720,728,731,733,733,735,735,768,879,913,929,931,937,945,961,963,969,1025,1025,
1040,1103,1105,1105,8208,8208,8211,8214,8216,8217,8220,8221,8224,8226,8228,8231,8240,8240,8242,8243,8245,8245,8251,8251,8254,8254,8308,8308,8319,8319,8321,8324,
8364,8364,8451,8451,8453,8453,8457,8457,8467,8467,8470,8470,8481,8482,8486,8486,8491,8491,8531,8532,8539,8542,8544,8555,8560,8569,8585,8585,8592,8601,8632,8633,
8658,8658,8660,8660,8679,8679,8704,8704,8706,8707,8711,8712,8715,8715,8719,8719,8721,8721,8725,8725,8730,8730,8733,8736,8739,8739,8741,8741,8743,8748,8750,8750,
8756,8759,8764,8765,8776,8776,8780,8780,8786,8786,8800,8801,8804,8807,8810,8811,8814,8815,8834,8835,8838,8839,8853,8853,8857,8857,8869,8869,8895,8895,8978,8978,
9312,9449,9451,9547,9552,9587,9600,9615,9618,9621,9632,9633,9635,9641,9650,9651,9654,9655,9660,9661,9664,9665,9670,9672,9675,9675,9678,9681,9698,9701,9711,9711,
9733,9734,9737,9737,9742,9743,9756,9756,9758,9758,9792,9792,9794,9794,9824,9825,9827,9829,9831,9834,9836,9837,9839,9839,9886,9887,9919,9919,9926,9933,9935,9939,
9941,9953,9955,9955,9960,9961,9963,9969,9972,9972,9974,9977,9979,9980,9982,9983,10045,10045,10102,10111,11094,11097,12872,12879,57344,63743,65024,65039,65533,65533,
127232,127242,127248,127277,127280,127337,127344,127373,127375,127376,127387,127404,917760,917999,983040,1048573,1048576,1114109],_l=12288,bl=65510,vl=[12288,12288,
65281,65376,65504,65510],kl=8361,yl=65518,wl=[8361,8361,65377,65470,65474,65479,65482,65487,65490,65495,65498,65500,65512,65518],xl=32,El=10630,Cl=[32,126,162,163,
165,166,172,172,175,175,10214,10221,10629,10630],Rl=4352,Al=262141,ei=[4352,4447,8986,8987,9001,9002,9193,9196,9200,9200,9203,9203,9725,9726,9748,9749,9776,9783,
9800,9811,9855,9855,9866,9871,9875,9875,9889,9889,9898,9899,9917,9918,9924,9925,9934,9934,9940,9940,9962,9962,9970,9971,9973,9973,9978,9978,9981,9981,9989,9989,
9994,9995,10024,10024,10060,10060,10062,10062,10067,10069,10071,10071,10133,10135,10160,10160,10175,10175,11035,11036,11088,11088,11093,11093,11904,11929,11931,
12019,12032,12245,12272,12287,12289,12350,12353,12438,12441,12543,12549,12591,12593,12686,12688,12773,12783,12830,12832,12871,12880,42124,42128,42182,43360,43388,
44032,55203,63744,64255,65040,65049,65072,65106,65108,65126,65128,65131,94176,94180,94192,94198,94208,101594,101631,101664,101760,101874,101888,102801,102816,102866,
110576,110579,110581,110587,110589,110590,110592,110888,110898,110898,110928,110930,110933,110933,110948,110952,110960,111355,119552,119638,119648,119670,126980,
126980,127183,127183,127374,127374,127377,127386,127406,127406,127488,127490,127504,127547,127552,127560,127568,127569,127584,127589,127744,127776,127789,127797,
127799,127868,127870,127891,127904,127946,127951,127955,127968,127984,127988,127988,127992,128062,128064,128064,128066,128252,128255,128317,128331,128334,128336,
128359,128378,128378,128405,128406,128420,128420,128507,128591,128640,128709,128716,128716,128720,128722,128725,128729,128732,128735,128747,128748,128756,128764,
128986,128986,128992,129003,129008,129008,129292,129338,129340,129349,129351,129535,129648,129660,129664,129734,129736,129736,129740,129757,129759,129771,129775,
129786,131072,196605,196608,262141];var jt=(e,t)=>{let n=0,r=Math.floor(e.length/2)-1;for(;n<=r;){let o=Math.floor((n+r)/2),i=o*2;if(t<e[i])r=o-1;else if(t>e[i+1])n=o+1;else return!0}return!1};var Dl=19968,[gp,_p]=bp(ei);function bp(e){let t=e[0],n=e[1];for(let r=0;r<e.length;r+=2){let o=e[r],i=e[r+1];if(Dl>=o&&Dl<=i)return[o,i];i-o>n-t&&(t=o,n=i)}return[
t,n]}var Sl=e=>e<161||e>1114109?!1:jt(gl,e),$l=e=>e<_l||e>bl?!1:jt(vl,e),vp=e=>e<kl||e>yl?!1:jt(wl,e),kp=e=>e<xl||e>El?!1:jt(Cl,e),Tl=e=>e>=gp&&e<=_p?!0:e<Rl||e>
Al?!1:jt(ei,e);function Ml(e){return Sl(e)?"ambiguous":$l(e)?"fullwidth":vp(e)?"halfwidth":kp(e)?"narrow":Tl(e)?"wide":"neutral"}function yp(e){if(!Number.isSafeInteger(e))throw new TypeError(`Expected a code point, got \`${typeof e}\`.`)}function Nl(e){return yp(e),Ml(e)}function wp(e){return/^\p{Emoji_Presentation}/u.test(String.fromCodePoint(e))}function ti(e){if(e<4352)return!1;switch(Nl(e)){case"fullwidth":case"halfwidth":return!0;case"\
wide":return!wp(e);case"narrow":return!1;case"ambiguous":return null;case"neutral":return/^\p{sc=Hangul}/u.test(String.fromCodePoint(e))}}function xp(e,t){return ti(
e)??(t===65025&&n(e));function n(r){return r===8216||r===8217||r===8220||r===8221}}function Ep(e){return ti(e)??(917760<=e&&e<=917999)}function Cp(e){return ti(
e)??!1}function Rp(e){return e>=65024&&e<=65038}function Il(e){let t=e.inline.State;class n extends t{scanDelims(o,i){let s=this.posMax,a=this.src.charCodeAt(o),
[l,c]=x(this.src,o),u=l,f=null;Rp(l)&&(f=x(this.src,c)[0],/^\p{Zs}/u.test(String.fromCodePoint(f))||(u=f));let m=o;for(;m<s&&this.src.charCodeAt(m)===a;)m++;let d=m-
o,p=m<s?this.src.codePointAt(m):32,_=e.utils.isWhiteSpace(u),k=e.utils.isWhiteSpace(p);if(_||k)return{can_open:!k,can_close:!_,length:d};let v=e.utils.isMdAsciiPunct(
u)||e.utils.isPunctChar(String.fromCodePoint(u)),b=e.utils.isMdAsciiPunct(p)||e.utils.isPunctChar(String.fromCodePoint(p)),w=v,y=b;if(i){let C=Cp(p)||(f!==null?
xp(f,l):Ep(l));w||=C||!b,y||=C||!v}return{can_open:w,can_close:y,length:d};function x(C,$){if($<=0)return[32,-1];let N=C.charCodeAt($-1);if((N&64512)!==56320)return[
N,$-1];let I=C.codePointAt($-2);return I>65535?[I,$-2]:[N,$-1]}}}e.inline.State=n}var Fl={"\\(":"\\)","\\[":"\\]",$$:"$$"};function Ap(e,t,n,r){let o=f=>e.src.slice(e.bMarks[f]+e.tShift[f],e.eMarks[f]),i=o(t).slice(0,2);if(i!=="$$"&&i!=="\\["||
e.sCount[t]-e.blkIndent>=4)return!1;let s=Fl[i],a=[],l=!1,c=t;for(;c<n&&!l&&!(c>t&&(e.isEmpty(c)||e.sCount[c]<e.blkIndent));c++){let f=c===t?o(c).slice(2):o(c),
m=f.indexOf(s),d=m>=0&&f.slice(m+2).trim()==="";if(c===t&&m>=0&&!d)return!1;l=d,a.push(l?f.slice(0,m):f)}if(r)return!0;let u=e.push("math_block","math",0);return u.
content=a.join(`
`).trim(),u.meta={closed:l},u.markup=i,u.map=[t,c],e.line=c,!0}function Dp(e,t){let n=e.src.slice(e.pos,e.pos+2),r=Fl[n];if(!r)return!1;let o=e.src.indexOf(r,e.
pos+2);if(o<0||o>=e.posMax||e.src.slice(e.pos+2,o).trim()==="")return!1;if(!t){let i=e.push("math_inline","math",0);i.content=e.src.slice(e.pos+2,o).trim(),i.meta=
{display:n!=="\\("}}return e.pos=o+2,!0}function Ol(e){e.block.ruler.before("fence","math_block",Ap,{alt:["paragraph","reference","blockquote","list"]}),e.inline.
ruler.before("escape","math_inline",Dp)}var Xe=new ml({html:!1,linkify:!0,maxNesting:40}).use(Il).use(Ol);Xe.linkify=new Pt;function zt(e,t){let n=new Xe.core.State(e,Xe,t);for(let r of Xe.core.ruler.
getRules("").slice(0,2))r(n);return n.tokens}function vr(e,t){let n=new Xe.core.State("",Xe,t),r=new n.Token("inline","",0);r.content=e,r.children=[],n.tokens=[
r];for(let o of Xe.core.ruler.getRules("").slice(2))o(n);return r.children}function Bl(e){let t=new new Xe.core.State("",Xe,{}).Token("text","",0);return t.content=
e,t}var br=class{constructor(){this.text="",this.from=0,this.environment={}}push(t){this.text+=t;let n=this.tail,r=zt(n,this.environment);if(Ll(r).length<2)return{
done:[],tail:r};let o=n.slice(0,n.lastIndexOf(`
`)+1),i=zt(o,this.environment),s=Ll(i).slice(1).at(-1);return s?(this.from+=Sp(o,s.line),{done:i.slice(0,s.index),tail:zt(this.tail,this.environment)}):{done:[],
tail:r}}get tail(){return this.text.slice(this.from)}get definesLinks(){return Object.keys(this.environment.references??{}).length>0}},Ll=e=>e.flatMap((t,n)=>t.
level===0&&t.nesting>=0&&t.map?[{index:n,line:t.map[0]}]:[]);function Sp(e,t){let n=0;for(;t>0;t--)n=e.indexOf(`
`,n)+1;return n}var $p=100,Tp=4e3,Mp=5,Np=/(?<=[\s。！？；，、：])(?=[\p{L}\p{N}])/gu,Pl='a* a** a*** a_ a__ a___ a~~ a` a`` a``` a) a") a\') a](x) a](x "y") a\\) a\\] a$$';
function Ul(e,t){let n=[...e.slice(0,Tp).matchAll(Np)].map(({index:i})=>i),r=0,o=e.length;for(let i of n.reverse())if(!(i>o-$p||i===0)){if(o=i,Ip(e.slice(0,i),t))
return i;if(++r===Mp)break}return 0}function Ip(e,t){if(e.includes("````"))return!1;let n=ni(e,t);return ni(e+Pl,t)===n+ni(Pl,t)}var ni=(e,t)=>vr(e,t).map(({type:n,
content:r,attrs:o})=>n==="text"?r:`\0${n} ${r} ${o}\0`).join("");function jl(e){let t=e.regex,n={},r={begin:/\$\{/,end:/\}/,contains:["self",{begin:/:-/,contains:[n]}]};Object.assign(n,{className:"variable",variants:[{begin:t.
concat(/\$[\w\d#@][\w\d_]*/,"(?![\\w\\d])(?![$])")},r]});let o={className:"subst",begin:/\$\(/,end:/\)/,contains:[e.BACKSLASH_ESCAPE]},i=e.inherit(e.COMMENT(),{
match:[/(^|\s)/,/#.*$/],scope:{2:"comment"}}),s={begin:/<<-?\s*(?=\w+)/,starts:{contains:[e.END_SAME_AS_BEGIN({begin:/(\w+)/,end:/(\w+)/,className:"string"})]}},
a={className:"string",begin:/"/,end:/"/,contains:[e.BACKSLASH_ESCAPE,n,o]};o.contains.push(a);let l={match:/\\"/},c={className:"string",begin:/'/,end:/'/},u={match:/\\'/},
f={begin:/\$?\(\(/,end:/\)\)/,contains:[{begin:/\d+#[0-9a-f]+/,className:"number"},e.NUMBER_MODE,n]},m=["fish","bash","zsh","sh","csh","ksh","tcsh","dash","scsh"],
d=e.SHEBANG({binary:`(${m.join("|")})`,relevance:10}),p={className:"function",begin:/\w[\w\d_]*\s*\(\s*\)\s*\{/,returnBegin:!0,contains:[e.inherit(e.TITLE_MODE,
{begin:/\w[\w\d_]*/})],relevance:0},_=["if","then","else","elif","fi","time","for","while","until","in","do","done","case","esac","coproc","function","select"],
k=["true","false"],v={match:/(\/[a-z._-]+)+/},b=["break","cd","continue","eval","exec","exit","export","getopts","hash","pwd","readonly","return","shift","test",
"times","trap","umask","unset"],w=["alias","bind","builtin","caller","command","declare","echo","enable","help","let","local","logout","mapfile","printf","read",
"readarray","source","sudo","type","typeset","ulimit","unalias"],y=["autoload","bg","bindkey","bye","cap","chdir","clone","comparguments","compcall","compctl","\
compdescribe","compfiles","compgroups","compquote","comptags","comptry","compvalues","dirs","disable","disown","echotc","echoti","emulate","fc","fg","float","fu\
nctions","getcap","getln","history","integer","jobs","kill","limit","log","noglob","popd","print","pushd","pushln","rehash","sched","setcap","setopt","stat","su\
spend","ttyctl","unfunction","unhash","unlimit","unsetopt","vared","wait","whence","where","which","zcompile","zformat","zftp","zle","zmodload","zparseopts","zp\
rof","zpty","zregexparse","zsocket","zstyle","ztcp"],x=["chcon","chgrp","chown","chmod","cp","dd","df","dir","dircolors","ln","ls","mkdir","mkfifo","mknod","mkt\
emp","mv","realpath","rm","rmdir","shred","sync","touch","truncate","vdir","b2sum","base32","base64","cat","cksum","comm","csplit","cut","expand","fmt","fold","\
head","join","md5sum","nl","numfmt","od","paste","ptx","pr","sha1sum","sha224sum","sha256sum","sha384sum","sha512sum","shuf","sort","split","sum","tac","tail","\
tr","tsort","unexpand","uniq","wc","arch","basename","chroot","date","dirname","du","echo","env","expr","factor","groups","hostid","id","link","logname","nice",
"nohup","nproc","pathchk","pinky","printenv","printf","pwd","readlink","runcon","seq","sleep","stat","stdbuf","stty","tee","test","timeout","tty","uname","unlin\
k","uptime","users","who","whoami","yes"];return{name:"Bash",aliases:["sh","zsh"],keywords:{$pattern:/\b[a-z][a-z0-9._-]+\b/,keyword:_,literal:k,built_in:[...b,
...w,"set","shopt",...y,...x]},contains:[d,e.SHEBANG(),p,f,i,s,v,a,l,c,u,n]}}function zl(e){let t=e.regex,n=e.COMMENT("//","$",{contains:[{begin:/\\\n/}]}),r="decltype\\(auto\\)",o="[a-zA-Z_]\\w*::",s="(?!struct)("+r+"|"+t.optional(o)+"[\
a-zA-Z_]\\w*"+t.optional("<[^<>]+>")+")",a={className:"type",begin:"\\b[a-z\\d_]*_t\\b"},c={className:"string",variants:[{begin:'(u8?|U|L)?"',end:'"',illegal:"\\\
n",contains:[e.BACKSLASH_ESCAPE]},{begin:"(u8?|U|L)?'("+"\\\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4,8}|[0-7]{3}|\\S)"+"|.)",end:"'",illegal:"."},e.END_SAME_AS_BEGIN({begin:/(?:u8?|U|L)?R"([^()\\ ]{0,16})\(/,
end:/\)([^()\\ ]{0,16})"/})]},u={className:"number",variants:[{begin:"[+-]?(?:(?:[0-9](?:'?[0-9])*\\.(?:[0-9](?:'?[0-9])*)?|\\.[0-9](?:'?[0-9])*)(?:[Ee][+-]?[0-9]\
(?:'?[0-9])*)?|[0-9](?:'?[0-9])*[Ee][+-]?[0-9](?:'?[0-9])*|0[Xx](?:[0-9A-Fa-f](?:'?[0-9A-Fa-f])*(?:\\.(?:[0-9A-Fa-f](?:'?[0-9A-Fa-f])*)?)?|\\.[0-9A-Fa-f](?:'?[0-9\
A-Fa-f])*)[Pp][+-]?[0-9](?:'?[0-9])*)(?:[Ff](?:16|32|64|128)?|(BF|bf)16|[Ll]|)"},{begin:"[+-]?\\b(?:0[Bb][01](?:'?[01])*|0[Xx][0-9A-Fa-f](?:'?[0-9A-Fa-f])*|0(?:'\
?[0-7])*|[1-9](?:'?[0-9])*)(?:[Uu](?:LL?|ll?)|[Uu][Zz]?|(?:LL?|ll?)[Uu]?|[Zz][Uu]|)"}],relevance:0},f={className:"meta",begin:/#\s*[a-z]+\b/,end:/$/,keywords:{keyword:"\
if else elif endif define undef warning error line pragma _Pragma ifdef ifndef include"},contains:[{begin:/\\\n/,relevance:0},e.inherit(c,{className:"string"}),
{className:"string",begin:/<.*?>/},n,e.C_BLOCK_COMMENT_MODE]},m={className:"title",begin:t.optional(o)+e.IDENT_RE,relevance:0},d=t.optional(o)+e.IDENT_RE+"\\s*\\(",
p=["alignas","alignof","and","and_eq","asm","atomic_cancel","atomic_commit","atomic_noexcept","auto","bitand","bitor","break","case","catch","class","co_await",
"co_return","co_yield","compl","concept","const_cast|10","consteval","constexpr","constinit","continue","decltype","default","delete","do","dynamic_cast|10","el\
se","enum","explicit","export","extern","false","final","for","friend","goto","if","import","inline","module","mutable","namespace","new","noexcept","not","not_\
eq","nullptr","operator","or","or_eq","override","private","protected","public","reflexpr","register","reinterpret_cast|10","requires","return","sizeof","static\
_assert","static_cast|10","struct","switch","synchronized","template","this","thread_local","throw","transaction_safe","transaction_safe_dynamic","true","try","\
typedef","typeid","typename","union","using","virtual","volatile","while","xor","xor_eq"],_=["bool","char","char16_t","char32_t","char8_t","double","float","int",
"long","short","void","wchar_t","unsigned","signed","const","static"],k=["any","auto_ptr","barrier","binary_semaphore","bitset","complex","condition_variable","\
condition_variable_any","counting_semaphore","deque","false_type","flat_map","flat_set","future","imaginary","initializer_list","istringstream","jthread","latch",
"lock_guard","multimap","multiset","mutex","optional","ostringstream","packaged_task","pair","promise","priority_queue","queue","recursive_mutex","recursive_tim\
ed_mutex","scoped_lock","set","shared_future","shared_lock","shared_mutex","shared_timed_mutex","shared_ptr","stack","string_view","stringstream","timed_mutex",
"thread","true_type","tuple","unique_lock","unique_ptr","unordered_map","unordered_multimap","unordered_multiset","unordered_set","variant","vector","weak_ptr",
"wstring","wstring_view"],v=["abort","abs","acos","apply","as_const","asin","atan","atan2","calloc","ceil","cerr","cin","clog","cos","cosh","cout","declval","en\
dl","exchange","exit","exp","fabs","floor","fmod","forward","fprintf","fputs","free","frexp","fscanf","future","invoke","isalnum","isalpha","iscntrl","isdigit",
"isgraph","islower","isprint","ispunct","isspace","isupper","isxdigit","labs","launder","ldexp","log","log10","make_pair","make_shared","make_shared_for_overwri\
te","make_tuple","make_unique","malloc","memchr","memcmp","memcpy","memset","modf","move","pow","printf","putchar","puts","realloc","scanf","sin","sinh","snprin\
tf","sprintf","sqrt","sscanf","std","stderr","stdin","stdout","strcat","strchr","strcmp","strcpy","strcspn","strlen","strncat","strncmp","strncpy","strpbrk","st\
rrchr","strspn","strstr","swap","tan","tanh","terminate","to_underlying","tolower","toupper","vfprintf","visit","vprintf","vsprintf"],y={type:_,keyword:p,literal:[
"NULL","false","nullopt","nullptr","true"],built_in:["_Pragma"],_type_hints:k},x={className:"function.dispatch",relevance:0,keywords:{_hint:v},begin:t.concat(/\b/,
/(?!decltype)/,/(?!if)/,/(?!for)/,/(?!switch)/,/(?!while)/,e.IDENT_RE,t.lookahead(/(<[^<>]+>|)\s*\(/))},C=[x,f,a,n,e.C_BLOCK_COMMENT_MODE,u,c],$={variants:[{begin:/=/,
end:/;/},{begin:/\(/,end:/\)/},{beginKeywords:"new throw return else",end:/;/}],keywords:y,contains:C.concat([{begin:/\(/,end:/\)/,keywords:y,contains:C.concat(
["self"]),relevance:0}]),relevance:0},N={className:"function",begin:"("+s+"[\\*&\\s]+)+"+d,returnBegin:!0,end:/[{;=]/,excludeEnd:!0,keywords:y,illegal:/[^\w\s\*&:<>.]/,
contains:[{begin:r,keywords:y,relevance:0},{begin:d,returnBegin:!0,contains:[m],relevance:0},{begin:/::/,relevance:0},{begin:/:/,endsWithParent:!0,contains:[c,u]},
{relevance:0,match:/,/},{className:"params",begin:/\(/,end:/\)/,keywords:y,relevance:0,contains:[n,e.C_BLOCK_COMMENT_MODE,c,u,a,{begin:/\(/,end:/\)/,keywords:y,
relevance:0,contains:["self",n,e.C_BLOCK_COMMENT_MODE,c,u,a]}]},a,n,e.C_BLOCK_COMMENT_MODE,f]};return{name:"C++",aliases:["cc","c++","h++","hpp","hh","hxx","cxx"],
keywords:y,illegal:"</",classNameAliases:{"function.dispatch":"built_in"},contains:[].concat($,N,x,C,[f,{begin:"\\b(deque|list|queue|priority_queue|pair|stack|ve\
ctor|map|set|bitset|multiset|multimap|unordered_map|unordered_set|unordered_multiset|unordered_multimap|array|tuple|optional|variant|function|flat_map|flat_set)\
\\s*<(?!<)",end:">",keywords:y,contains:["self",a]},{begin:e.IDENT_RE+"::",keywords:y},{match:[/\b(?:enum(?:\s+(?:class|struct))?|class|struct|union)/,/\s+/,/\w+/],
className:{1:"keyword",3:"title.class"}}])}}function Wl(e){let i={keyword:["break","case","chan","const","continue","default","defer","else","fallthrough","for","func","go","goto","if","import","interface",
"map","package","range","return","select","struct","switch","type","var"],type:["bool","byte","complex64","complex128","error","float32","float64","int8","int16",
"int32","int64","string","uint8","uint16","uint32","uint64","int","uint","uintptr","rune"],literal:["true","false","iota","nil"],built_in:["append","cap","close",
"complex","copy","imag","len","make","new","panic","print","println","real","recover","delete"]};return{name:"Go",aliases:["golang"],keywords:i,illegal:"</",contains:[
e.C_LINE_COMMENT_MODE,e.C_BLOCK_COMMENT_MODE,{className:"string",variants:[e.QUOTE_STRING_MODE,e.APOS_STRING_MODE,{begin:"`",end:"`"}]},{className:"number",variants:[
{match:/-?\b0[xX]\.[a-fA-F0-9](_?[a-fA-F0-9])*[pP][+-]?\d(_?\d)*i?/,relevance:0},{match:/-?\b0[xX](_?[a-fA-F0-9])+((\.([a-fA-F0-9](_?[a-fA-F0-9])*)?)?[pP][+-]?\d(_?\d)*)?i?/,
relevance:0},{match:/-?\b0[oO](_?[0-7])*i?/,relevance:0},{match:/-?\.\d(_?\d)*([eE][+-]?\d(_?\d)*)?i?/,relevance:0},{match:/-?\b\d(_?\d)*(\.(\d(_?\d)*)?)?([eE][+-]?\d(_?\d)*)?i?/,
relevance:0}]},{begin:/:=/},{className:"function",beginKeywords:"func",end:"\\s*(\\{|$)",excludeEnd:!0,contains:[e.TITLE_MODE,{className:"params",begin:/\(/,end:/\)/,
endsParent:!0,keywords:i,illegal:/["']/}]}]}}var Wt="[0-9](_*[0-9])*",kr=`\\.(${Wt})`,yr="[0-9a-fA-F](_*[0-9a-fA-F])*",Hl={className:"number",variants:[{begin:`(\\b(${Wt})((${kr})|\\.)?|(${kr}))[eE][+-]?(${Wt}\
)[fFdD]?\\b`},{begin:`\\b(${Wt})((${kr})[fFdD]?\\b|\\.([fFdD]\\b)?)`},{begin:`(${kr})[fFdD]?\\b`},{begin:`\\b(${Wt})[fFdD]\\b`},{begin:`\\b0[xX]((${yr})\\.?|(${yr}\
)?\\.(${yr}))[pP][+-]?(${Wt})[fFdD]?\\b`},{begin:"\\b(0|[1-9](_*[0-9])*)[lL]?\\b"},{begin:`\\b0[xX](${yr})[lL]?\\b`},{begin:"\\b0(_*[0-7])*[lL]?\\b"},{begin:"\\b\
0[bB][01](_*[01])*[lL]?\\b"}],relevance:0};function Jl(e,t,n){return n===-1?"":e.replace(t,r=>Jl(e,t,n-1))}function ql(e){let t=e.regex,n="[À-ʸa-zA-Z_$][À-ʸa-zA\
-Z_$0-9]*",r=n+Jl("(?:<"+n+"~~~(?:\\s*,\\s*"+n+"~~~)*>)?",/~~~/g,2),l={keyword:["synchronized","abstract","private","var","static","if","const ","for","while","\
strictfp","finally","protected","import","native","final","void","enum","else","break","transient","catch","instanceof","volatile","case","assert","package","de\
fault","public","try","switch","continue","throws","protected","public","private","module","requires","exports","do","sealed","yield","permits","goto","when"],literal:[
"false","true","null"],type:["char","boolean","long","float","int","byte","short","double"],built_in:["super","this"]},c={className:"meta",begin:"@"+n,contains:[
{begin:/\(/,end:/\)/,contains:["self"]}]},u={className:"params",begin:/\(/,end:/\)/,keywords:l,relevance:0,contains:[e.C_BLOCK_COMMENT_MODE],endsParent:!0};return{
name:"Java",aliases:["jsp"],keywords:l,illegal:/<\/|#/,contains:[e.COMMENT("/\\*\\*","\\*/",{relevance:0,contains:[{begin:/\w+@/,relevance:0},{className:"doctag",
begin:"@[A-Za-z]+"}]}),{begin:/import java\.[a-z]+\./,keywords:"import",relevance:2},e.C_LINE_COMMENT_MODE,e.C_BLOCK_COMMENT_MODE,{begin:/"""/,end:/"""/,className:"\
string",contains:[e.BACKSLASH_ESCAPE]},e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,{match:[/\b(?:class|interface|enum|extends|implements|new)/,/\s+/,n],className:{1:"\
keyword",3:"title.class"}},{match:/non-sealed/,scope:"keyword"},{begin:[t.concat(/(?!else)/,n),/\s+/,n,/\s+/,/=(?!=)/],className:{1:"type",3:"variable",5:"opera\
tor"}},{begin:[/record/,/\s+/,n],className:{1:"keyword",3:"title.class"},contains:[u,e.C_LINE_COMMENT_MODE,e.C_BLOCK_COMMENT_MODE]},{beginKeywords:"new throw re\
turn else",relevance:0},{begin:["(?:"+r+"\\s+)",e.UNDERSCORE_IDENT_RE,/\s*(?=\()/],className:{2:"title.function"},keywords:l,contains:[{className:"params",begin:/\(/,
end:/\)/,keywords:l,relevance:0,contains:[c,e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,Hl,e.C_BLOCK_COMMENT_MODE]},e.C_LINE_COMMENT_MODE,e.C_BLOCK_COMMENT_MODE]},Hl,
c]}}var Kl="[A-Za-z$_][0-9A-Za-z$_]*",Fp=["as","in","of","if","for","while","finally","var","new","function","do","return","void","else","break","catch","instanceof",
"with","throw","case","default","try","switch","continue","typeof","delete","let","yield","const","class","debugger","async","await","static","import","from","e\
xport","extends","using"],Op=["true","false","null","undefined","NaN","Infinity"],Gl=["Object","Function","Boolean","Symbol","Math","Date","Number","BigInt","St\
ring","RegExp","Array","Float32Array","Float64Array","Int8Array","Uint8Array","Uint8ClampedArray","Int16Array","Int32Array","Uint16Array","Uint32Array","BigInt6\
4Array","BigUint64Array","Set","Map","WeakSet","WeakMap","ArrayBuffer","SharedArrayBuffer","Atomics","DataView","JSON","Promise","Generator","GeneratorFunction",
"AsyncFunction","Reflect","Proxy","Intl","WebAssembly"],Zl=["Error","EvalError","InternalError","RangeError","ReferenceError","SyntaxError","TypeError","URIErro\
r"],Xl=["setInterval","setTimeout","clearInterval","clearTimeout","require","exports","eval","isFinite","isNaN","parseFloat","parseInt","decodeURI","decodeURICo\
mponent","encodeURI","encodeURIComponent","escape","unescape"],Lp=["arguments","this","super","console","window","document","localStorage","sessionStorage","mod\
ule","global"],Bp=[].concat(Xl,Gl,Zl);function Vl(e){let t=e.regex,n=(S,{after:B})=>{let W="</"+S[0].slice(1);return S.input.indexOf(W,B)!==-1},r=Kl,o={begin:"<\
>",end:"</>"},i=/<[A-Za-z0-9\\._:-]+\s*\/>/,s={begin:/<[A-Za-z0-9\\._:-]+/,end:/\/[A-Za-z0-9\\._:-]+>|\/>/,isTrulyOpeningTag:(S,B)=>{let W=S[0].length+S.index,ne=S.
input[W];if(ne==="<"||ne===","){B.ignoreMatch();return}ne===">"&&(n(S,{after:W})||B.ignoreMatch());let me,Ie=S.input.substring(W);if(me=Ie.match(/^\s*=/)){B.ignoreMatch();
return}if((me=Ie.match(/^\s+extends\s+/))&&me.index===0){B.ignoreMatch();return}}},a={$pattern:Kl,keyword:Fp,literal:Op,built_in:Bp,"variable.language":Lp},l="[\
0-9](_?[0-9])*",c=`\\.(${l})`,u="0|[1-9](_?[0-9])*|0[0-7]*[89][0-9]*",f={className:"number",variants:[{begin:`(\\b(${u})((${c})|\\.)?|(${c}))[eE][+-]?(${l})\\b`},
{begin:`\\b(${u})\\b((${c})\\b|\\.)?|(${c})\\b`},{begin:"\\b(0|[1-9](_?[0-9])*)n\\b"},{begin:"\\b0[xX][0-9a-fA-F](_?[0-9a-fA-F])*n?\\b"},{begin:"\\b0[bB][0-1](_?\
[0-1])*n?\\b"},{begin:"\\b0[oO][0-7](_?[0-7])*n?\\b"},{begin:"\\b0[0-7]+n?\\b"}],relevance:0},m={className:"subst",begin:"\\$\\{",end:"\\}",keywords:a,contains:[]},
d={begin:".?html`",end:"",starts:{end:"`",returnEnd:!1,contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"xml"}},p={begin:".?css`",end:"",starts:{end:"`",returnEnd:!1,
contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"css"}},_={begin:".?gql`",end:"",starts:{end:"`",returnEnd:!1,contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"graphql"}},
k={className:"string",begin:"`",end:"`",contains:[e.BACKSLASH_ESCAPE,m]},b={className:"comment",variants:[e.COMMENT(/\/\*\*(?!\/)/,"\\*/",{relevance:0,contains:[
{begin:"(?=@[A-Za-z]+)",relevance:0,contains:[{className:"doctag",begin:"@[A-Za-z]+"},{className:"type",begin:"\\{",end:"\\}",excludeEnd:!0,excludeBegin:!0,relevance:0},
{className:"variable",begin:r+"(?=\\s*(-)|$)",endsParent:!0,relevance:0},{begin:/(?=[^\n])\s/,relevance:0}]}]}),e.C_BLOCK_COMMENT_MODE,e.C_LINE_COMMENT_MODE]},w=[
e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,d,p,_,k,{match:/\$\d+/},f];m.contains=w.concat({begin:/\{/,end:/\}/,keywords:a,contains:["self"].concat(w)});let y=[].concat(
b,m.contains),x=y.concat([{begin:/(\s*)\(/,end:/\)/,keywords:a,contains:["self"].concat(y)}]),C={className:"params",begin:/(\s*)\(/,end:/\)/,excludeBegin:!0,excludeEnd:!0,
keywords:a,contains:x},$={variants:[{match:[/class/,/\s+/,r,/\s+/,/extends/,/\s+/,t.concat(r,"(",t.concat(/\./,r),")*")],scope:{1:"keyword",3:"title.class",5:"k\
eyword",7:"title.class.inherited"}},{match:[/class/,/\s+/,r],scope:{1:"keyword",3:"title.class"}}]},N={relevance:0,match:t.either(/\bJSON/,/\b[A-Z][a-z]+([A-Z][a-z]*|\d)*/,
/\b[A-Z]{2,}([A-Z][a-z]+|\d)+([A-Z][a-z]*)*/,/\b[A-Z]{2,}[a-z]+([A-Z][a-z]+|\d)*([A-Z][a-z]*)*/),className:"title.class",keywords:{_:[...Gl,...Zl]}},I={label:"u\
se_strict",className:"meta",relevance:10,begin:/^\s*['"]use (strict|asm)['"]/},U={variants:[{match:[/function/,/\s+/,r,/(?=\s*\()/]},{match:[/function/,/\s*(?=\()/]}],
className:{1:"keyword",3:"title.function"},label:"func.def",contains:[C],illegal:/%/},L={relevance:0,match:/\b[A-Z][A-Z_0-9]+\b/,className:"variable.constant"};
function z(S){return t.concat("(?!",S.join("|"),")")}let H={match:t.concat(/\b/,z([...Xl,"super","import"].map(S=>`${S}\\s*\\(`)),r,t.lookahead(/\s*\(/)),className:"\
title.function",relevance:0},te={begin:t.concat(/\./,t.lookahead(t.concat(r,/(?![0-9A-Za-z$_(])/))),end:r,excludeBegin:!0,keywords:"prototype",className:"proper\
ty",relevance:0},se={match:[/get|set/,/\s+/,r,/(?=\()/],className:{1:"keyword",3:"title.function"},contains:[{begin:/\(\)/},C]},E="(\\([^()]*(\\([^()]*(\\([^()]*\\)\
[^()]*)*\\)[^()]*)*\\)|"+e.UNDERSCORE_IDENT_RE+")\\s*=>",T={match:[/const|var|let/,/\s+/,r,/\s*/,/=\s*/,/(async\s*)?/,t.lookahead(E)],keywords:"async",className:{
1:"keyword",3:"title.function"},contains:[C]};return{name:"JavaScript",aliases:["js","jsx","mjs","cjs"],keywords:a,exports:{PARAMS_CONTAINS:x,CLASS_REFERENCE:N},
illegal:/#(?![$_A-z])/,contains:[e.SHEBANG({label:"shebang",binary:"node",relevance:5}),I,e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,d,p,_,k,b,{match:/\$\d+/},f,N,{
scope:"attr",match:r+t.lookahead(":"),relevance:0},T,{begin:"("+e.RE_STARTERS_RE+"|\\b(case|return|throw)\\b)\\s*",keywords:"return throw case",relevance:0,contains:[
b,e.REGEXP_MODE,{className:"function",begin:E,returnBegin:!0,end:"\\s*=>",contains:[{className:"params",variants:[{begin:e.UNDERSCORE_IDENT_RE,relevance:0},{className:null,
begin:/\(\s*\)/,skip:!0},{begin:/(\s*)\(/,end:/\)/,excludeBegin:!0,excludeEnd:!0,keywords:a,contains:x}]}]},{begin:/,/,relevance:0},{match:/\s+/,relevance:0},{variants:[
{begin:o.begin,end:o.end},{match:i},{begin:s.begin,"on:begin":s.isTrulyOpeningTag,end:s.end}],subLanguage:"xml",contains:[{begin:s.begin,end:s.end,skip:!0,contains:[
"self"]}]}]},U,{beginKeywords:"while if switch catch for"},{begin:"\\b(?!function)"+e.UNDERSCORE_IDENT_RE+"\\([^()]*(\\([^()]*(\\([^()]*\\)[^()]*)*\\)[^()]*)*\\)\\s*\\{",
returnBegin:!0,label:"func.def",contains:[C,e.inherit(e.TITLE_MODE,{begin:r,className:"title.function"})]},{match:/\.\.\./,relevance:0},te,{match:"\\$"+r,relevance:0},
{match:[/\bconstructor(?=\s*\()/],className:{1:"title.function"},contains:[C]},H,L,$,se,{match:/\$[(.]/}]}}function Yl(e){let t={className:"attr",begin:/"(\\.|[^\\"\r\n])*"(?=\s*:)/,relevance:1.01},n={match:/[{}[\],:]/,className:"punctuation",relevance:0},r=["true","\
false","null"],o={scope:"literal",beginKeywords:r.join(" ")};return{name:"JSON",aliases:["jsonc"],keywords:{literal:r},contains:[t,n,e.QUOTE_STRING_MODE,o,e.C_NUMBER_MODE,
e.C_LINE_COMMENT_MODE,e.C_BLOCK_COMMENT_MODE],illegal:"\\S"}}function Ql(e){let t=e.regex,n=/[\p{XID_Start}_]\p{XID_Continue}*/u,r=["and","as","assert","async","await","break","case","class","continue","def","del","elif",
"else","except","finally","for","from","global","if","import","in","is","lambda","match","nonlocal|10","not","or","pass","raise","return","try","while","with","\
yield"],a={$pattern:/[A-Za-z]\w+|__\w+__/,keyword:r,built_in:["__import__","abs","all","any","ascii","bin","bool","breakpoint","bytearray","bytes","callable","c\
hr","classmethod","compile","complex","delattr","dict","dir","divmod","enumerate","eval","exec","filter","float","format","frozenset","getattr","globals","hasat\
tr","hash","help","hex","id","input","int","isinstance","issubclass","iter","len","list","locals","map","max","memoryview","min","next","object","oct","open","o\
rd","pow","print","property","range","repr","reversed","round","set","setattr","slice","sorted","staticmethod","str","sum","super","tuple","type","vars","zip"],
literal:["__debug__","Ellipsis","False","None","NotImplemented","True"],type:["Any","Callable","Coroutine","Dict","List","Literal","Generic","Optional","Sequenc\
e","Set","Tuple","Type","Union"]},l={className:"meta",begin:/^(>>>|\.\.\.) /},c={className:"subst",begin:/\{/,end:/\}/,keywords:a,illegal:/#/},u={begin:/\{\{/,relevance:0},
f={className:"string",contains:[e.BACKSLASH_ESCAPE],variants:[{begin:/([uU]|[bB]|[rR]|[bB][rR]|[rR][bB])?'''/,end:/'''/,contains:[e.BACKSLASH_ESCAPE,l],relevance:10},
{begin:/([uU]|[bB]|[rR]|[bB][rR]|[rR][bB])?"""/,end:/"""/,contains:[e.BACKSLASH_ESCAPE,l],relevance:10},{begin:/([fF][rR]|[rR][fF]|[fF])'''/,end:/'''/,contains:[
e.BACKSLASH_ESCAPE,l,u,c]},{begin:/([fF][rR]|[rR][fF]|[fF])"""/,end:/"""/,contains:[e.BACKSLASH_ESCAPE,l,u,c]},{begin:/([uU]|[rR])'/,end:/'/,relevance:10},{begin:/([uU]|[rR])"/,
end:/"/,relevance:10},{begin:/([bB]|[bB][rR]|[rR][bB])'/,end:/'/},{begin:/([bB]|[bB][rR]|[rR][bB])"/,end:/"/},{begin:/([fF][rR]|[rR][fF]|[fF])'/,end:/'/,contains:[
e.BACKSLASH_ESCAPE,u,c]},{begin:/([fF][rR]|[rR][fF]|[fF])"/,end:/"/,contains:[e.BACKSLASH_ESCAPE,u,c]},e.APOS_STRING_MODE,e.QUOTE_STRING_MODE]},m="[0-9](_?[0-9]\
)*",d=`(\\b(${m}))?\\.(${m})|\\b(${m})\\.`,p=`\\b|${r.join("|")}`,_={className:"number",relevance:0,variants:[{begin:`(\\b(${m})|(${d}))[eE][+-]?(${m})[jJ]?(?=${p}\
)`},{begin:`(${d})[jJ]?`},{begin:`\\b([1-9](_?[0-9])*|0+(_?0)*)[lLjJ]?(?=${p})`},{begin:`\\b0[bB](_?[01])+[lL]?(?=${p})`},{begin:`\\b0[oO](_?[0-7])+[lL]?(?=${p}\
)`},{begin:`\\b0[xX](_?[0-9a-fA-F])+[lL]?(?=${p})`},{begin:`\\b(${m})[jJ](?=${p})`}]},k={className:"comment",begin:t.lookahead(/# type:/),end:/$/,keywords:a,contains:[
{begin:/# type:/},{begin:/#/,end:/\b\B/,endsWithParent:!0}]},v={className:"params",variants:[{className:"",begin:/\(\s*\)/,skip:!0},{begin:/\(/,end:/\)/,excludeBegin:!0,
excludeEnd:!0,keywords:a,contains:["self",l,_,f,e.HASH_COMMENT_MODE]}]};return c.contains=[f,_,l],{name:"Python",aliases:["py","gyp","ipython"],unicodeRegex:!0,
keywords:a,illegal:/(<\/|\?)|=>/,contains:[l,_,{scope:"variable.language",match:/\bself\b/},{beginKeywords:"if",relevance:0},{match:/\bor\b/,scope:"keyword"},f,
k,e.HASH_COMMENT_MODE,{match:[/\bdef/,/\s+/,n],scope:{1:"keyword",3:"title.function"},contains:[v]},{variants:[{match:[/\bclass/,/\s+/,n,/\s*/,/\(\s*/,n,/\s*\)/]},
{match:[/\bclass/,/\s+/,n]}],scope:{1:"keyword",3:"title.class",6:"title.class.inherited"}},{className:"meta",begin:/^[\t ]*@/,end:/(?=#)|$/,contains:[_,v,f]}]}}function ec(e){let t=e.regex,n=/(r#)?/,r=t.concat(n,e.UNDERSCORE_IDENT_RE),o=t.concat(n,e.IDENT_RE),i={className:"title.function.invoke",relevance:0,begin:t.concat(
/\b/,/(?!let|for|while|if|else|match\b)/,o,t.lookahead(/\s*\(/))},s="([ui](8|16|32|64|128|size)|f(32|64))?",a=["abstract","as","async","await","become","box","b\
reak","const","continue","crate","do","dyn","else","enum","extern","false","final","fn","for","if","impl","in","let","loop","macro","match","mod","move","mut","\
override","priv","pub","ref","return","self","Self","static","struct","super","trait","true","try","type","typeof","union","unsafe","unsized","use","virtual","w\
here","while","yield"],l=["true","false","Some","None","Ok","Err"],c=["drop ","Copy","Send","Sized","Sync","Drop","Fn","FnMut","FnOnce","ToOwned","Clone","Debug",
"PartialEq","PartialOrd","Eq","Ord","AsRef","AsMut","Into","From","Default","Iterator","Extend","IntoIterator","DoubleEndedIterator","ExactSizeIterator","SliceC\
oncatExt","ToString","assert!","assert_eq!","bitflags!","bytes!","cfg!","col!","concat!","concat_idents!","debug_assert!","debug_assert_eq!","env!","eprintln!",
"panic!","file!","format!","format_args!","include_bytes!","include_str!","line!","local_data_key!","module_path!","option_env!","print!","println!","select!","\
stringify!","try!","unimplemented!","unreachable!","vec!","write!","writeln!","macro_rules!","assert_ne!","debug_assert_ne!"],u=["i8","i16","i32","i64","i128","\
isize","u8","u16","u32","u64","u128","usize","f32","f64","str","char","bool","Box","Option","Result","String","Vec"];return{name:"Rust",aliases:["rs"],keywords:{
$pattern:e.IDENT_RE+"!?",type:u,keyword:a,literal:l,built_in:c},illegal:"</",contains:[e.C_LINE_COMMENT_MODE,e.COMMENT("/\\*","\\*/",{contains:["self"]}),e.inherit(
e.QUOTE_STRING_MODE,{begin:/b?"/,illegal:null}),{className:"symbol",begin:/'[a-zA-Z_][a-zA-Z0-9_]*(?!')/},{scope:"string",variants:[{begin:/b?r(#*)"(.|\n)*?"\1(?!#)/},
{begin:/b?'/,end:/'/,contains:[{scope:"char.escape",match:/\\('|\w|x\w{2}|u\w{4}|U\w{8})/}]}]},{className:"number",variants:[{begin:"\\b0b([01_]+)"+s},{begin:"\\\
b0o([0-7_]+)"+s},{begin:"\\b0x([A-Fa-f0-9_]+)"+s},{begin:"\\b(\\d[\\d_]*(\\.[0-9_]+)?([eE][+-]?[0-9_]+)?)"+s}],relevance:0},{begin:[/fn/,/\s+/,r],className:{1:"\
keyword",3:"title.function"}},{className:"meta",begin:"#!?\\[",end:"\\]",contains:[{className:"string",begin:/"/,end:/"/,contains:[e.BACKSLASH_ESCAPE]}]},{begin:[
/let/,/\s+/,/(?:mut\s+)?/,r],className:{1:"keyword",3:"keyword",4:"variable"}},{begin:[/for/,/\s+/,r,/\s+/,/in/],className:{1:"keyword",3:"variable",5:"keyword"}},
{begin:[/type/,/\s+/,r],className:{1:"keyword",3:"title.class"}},{begin:[/(?:trait|enum|struct|union|impl|for)/,/\s+/,r],className:{1:"keyword",3:"title.class"}},
{begin:e.IDENT_RE+"::",keywords:{keyword:"Self",built_in:c,type:u}},{className:"punctuation",begin:"->"},i]}}function tc(e){let t=e.regex,n=e.COMMENT("--","$"),r={scope:"string",variants:[{begin:/'/,end:/'/,contains:[{match:/''/}]}]},o={begin:/"/,end:/"/,contains:[{match:/""/}]},
i=["true","false","unknown"],s=["double precision","large object","with timezone","without timezone"],a=["bigint","binary","blob","boolean","char","character","\
clob","date","dec","decfloat","decimal","float","int","integer","interval","nchar","nclob","national","numeric","real","row","smallint","time","timestamp","varc\
har","varying","varbinary"],l=["add","asc","collation","desc","final","first","last","view"],c=["abs","acos","all","allocate","alter","and","any","are","array",
"array_agg","array_max_cardinality","as","asensitive","asin","asymmetric","at","atan","atomic","authorization","avg","begin","begin_frame","begin_partition","be\
tween","bigint","binary","blob","boolean","both","by","call","called","cardinality","cascaded","case","cast","ceil","ceiling","char","char_length","character","\
character_length","check","classifier","clob","close","coalesce","collate","collect","column","commit","condition","connect","constraint","contains","convert","\
copy","corr","corresponding","cos","cosh","count","covar_pop","covar_samp","create","cross","cube","cume_dist","current","current_catalog","current_date","curre\
nt_default_transform_group","current_path","current_role","current_row","current_schema","current_time","current_timestamp","current_path","current_role","curre\
nt_transform_group_for_type","current_user","cursor","cycle","date","day","deallocate","dec","decimal","decfloat","declare","default","define","delete","dense_r\
ank","deref","describe","deterministic","disconnect","distinct","double","drop","dynamic","each","element","else","empty","end","end_frame","end_partition","end\
-exec","equals","escape","every","except","exec","execute","exists","exp","external","extract","false","fetch","filter","first_value","float","floor","for","for\
eign","frame_row","free","from","full","function","fusion","get","global","grant","group","grouping","groups","having","hold","hour","identity","in","indicator",
"initial","inner","inout","insensitive","insert","int","integer","intersect","intersection","interval","into","is","join","json_array","json_arrayagg","json_exi\
sts","json_object","json_objectagg","json_query","json_table","json_table_primitive","json_value","lag","language","large","last_value","lateral","lead","leadin\
g","left","like","like_regex","listagg","ln","local","localtime","localtimestamp","log","log10","lower","match","match_number","match_recognize","matches","max",
"member","merge","method","min","minute","mod","modifies","module","month","multiset","national","natural","nchar","nclob","new","no","none","normalize","not","\
nth_value","ntile","null","nullif","numeric","octet_length","occurrences_regex","of","offset","old","omit","on","one","only","open","or","order","out","outer","\
over","overlaps","overlay","parameter","partition","pattern","per","percent","percent_rank","percentile_cont","percentile_disc","period","portion","position","p\
osition_regex","power","precedes","precision","prepare","primary","procedure","ptf","range","rank","reads","real","recursive","ref","references","referencing","\
regr_avgx","regr_avgy","regr_count","regr_intercept","regr_r2","regr_slope","regr_sxx","regr_sxy","regr_syy","release","result","return","returns","revoke","rig\
ht","rollback","rollup","row","row_number","rows","running","savepoint","scope","scroll","search","second","seek","select","sensitive","session_user","set","sho\
w","similar","sin","sinh","skip","smallint","some","specific","specifictype","sql","sqlexception","sqlstate","sqlwarning","sqrt","start","static","stddev_pop","\
stddev_samp","submultiset","subset","substring","substring_regex","succeeds","sum","symmetric","system","system_time","system_user","table","tablesample","tan",
"tanh","then","time","timestamp","timezone_hour","timezone_minute","to","trailing","translate","translate_regex","translation","treat","trigger","trim","trim_ar\
ray","true","truncate","uescape","union","unique","unknown","unnest","update","upper","user","using","value","values","value_of","var_pop","var_samp","varbinary",
"varchar","varying","versioning","when","whenever","where","width_bucket","window","with","within","without","year"],u=["abs","acos","array_agg","asin","atan","\
avg","cast","ceil","ceiling","coalesce","corr","cos","cosh","count","covar_pop","covar_samp","cume_dist","dense_rank","deref","element","exp","extract","first_v\
alue","floor","json_array","json_arrayagg","json_exists","json_object","json_objectagg","json_query","json_table","json_table_primitive","json_value","lag","las\
t_value","lead","listagg","ln","log","log10","lower","max","min","mod","nth_value","ntile","nullif","percent_rank","percentile_cont","percentile_disc","position",
"position_regex","power","rank","regr_avgx","regr_avgy","regr_count","regr_intercept","regr_r2","regr_slope","regr_sxx","regr_sxy","regr_syy","row_number","sin",
"sinh","sqrt","stddev_pop","stddev_samp","substring","substring_regex","sum","tan","tanh","translate","translate_regex","treat","trim","trim_array","unnest","up\
per","value_of","var_pop","var_samp","width_bucket"],f=["current_catalog","current_date","current_default_transform_group","current_path","current_role","curren\
t_schema","current_transform_group_for_type","current_user","session_user","system_time","system_user","current_time","localtime","current_timestamp","localtime\
stamp"],m=["create table","insert into","primary key","foreign key","not null","alter table","add constraint","grouping sets","on overflow","character set","res\
pect nulls","ignore nulls","nulls first","nulls last","depth first","breadth first"],d=u,p=[...c,...l].filter(x=>!u.includes(x)),_={scope:"variable",match:/@[a-z0-9][a-z0-9_]*/},
k={scope:"operator",match:/[-+*/=%^~]|&&?|\|\|?|!=?|<(?:=>?|<|>)?|>[>=]?/,relevance:0},v={match:t.concat(/\b/,t.either(...d),/\s*\(/),relevance:0,keywords:{built_in:d}};
function b(x){return t.concat(/\b/,t.either(...x.map(C=>C.replace(/\s+/,"\\s+"))),/\b/)}let w={scope:"keyword",match:b(m),relevance:0};function y(x,{exceptions:C,
when:$}={}){let N=$;return C=C||[],x.map(I=>I.match(/\|\d+$/)||C.includes(I)?I:N(I)?`${I}|0`:I)}return{name:"SQL",case_insensitive:!0,illegal:/[{}]|<\//,keywords:{
$pattern:/\b[\w\.]+/,keyword:y(p,{when:x=>x.length<3}),literal:i,type:a,built_in:f},contains:[{scope:"type",match:b(s)},w,v,_,r,o,e.C_NUMBER_MODE,e.C_BLOCK_COMMENT_MODE,
n,k]}}var wr="[A-Za-z$_][0-9A-Za-z$_]*",nc=["as","in","of","if","for","while","finally","var","new","function","do","return","void","else","break","catch","instanceof",
"with","throw","case","default","try","switch","continue","typeof","delete","let","yield","const","class","debugger","async","await","static","import","from","e\
xport","extends","using"],rc=["true","false","null","undefined","NaN","Infinity"],oc=["Object","Function","Boolean","Symbol","Math","Date","Number","BigInt","St\
ring","RegExp","Array","Float32Array","Float64Array","Int8Array","Uint8Array","Uint8ClampedArray","Int16Array","Int32Array","Uint16Array","Uint32Array","BigInt6\
4Array","BigUint64Array","Set","Map","WeakSet","WeakMap","ArrayBuffer","SharedArrayBuffer","Atomics","DataView","JSON","Promise","Generator","GeneratorFunction",
"AsyncFunction","Reflect","Proxy","Intl","WebAssembly"],ic=["Error","EvalError","InternalError","RangeError","ReferenceError","SyntaxError","TypeError","URIErro\
r"],sc=["setInterval","setTimeout","clearInterval","clearTimeout","require","exports","eval","isFinite","isNaN","parseFloat","parseInt","decodeURI","decodeURICo\
mponent","encodeURI","encodeURIComponent","escape","unescape"],ac=["arguments","this","super","console","window","document","localStorage","sessionStorage","mod\
ule","global"],lc=[].concat(sc,oc,ic);function Pp(e){let t=e.regex,n=(S,{after:B})=>{let W="</"+S[0].slice(1);return S.input.indexOf(W,B)!==-1},r=wr,o={begin:"<\
>",end:"</>"},i=/<[A-Za-z0-9\\._:-]+\s*\/>/,s={begin:/<[A-Za-z0-9\\._:-]+/,end:/\/[A-Za-z0-9\\._:-]+>|\/>/,isTrulyOpeningTag:(S,B)=>{let W=S[0].length+S.index,ne=S.
input[W];if(ne==="<"||ne===","){B.ignoreMatch();return}ne===">"&&(n(S,{after:W})||B.ignoreMatch());let me,Ie=S.input.substring(W);if(me=Ie.match(/^\s*=/)){B.ignoreMatch();
return}if((me=Ie.match(/^\s+extends\s+/))&&me.index===0){B.ignoreMatch();return}}},a={$pattern:wr,keyword:nc,literal:rc,built_in:lc,"variable.language":ac},l="[\
0-9](_?[0-9])*",c=`\\.(${l})`,u="0|[1-9](_?[0-9])*|0[0-7]*[89][0-9]*",f={className:"number",variants:[{begin:`(\\b(${u})((${c})|\\.)?|(${c}))[eE][+-]?(${l})\\b`},
{begin:`\\b(${u})\\b((${c})\\b|\\.)?|(${c})\\b`},{begin:"\\b(0|[1-9](_?[0-9])*)n\\b"},{begin:"\\b0[xX][0-9a-fA-F](_?[0-9a-fA-F])*n?\\b"},{begin:"\\b0[bB][0-1](_?\
[0-1])*n?\\b"},{begin:"\\b0[oO][0-7](_?[0-7])*n?\\b"},{begin:"\\b0[0-7]+n?\\b"}],relevance:0},m={className:"subst",begin:"\\$\\{",end:"\\}",keywords:a,contains:[]},
d={begin:".?html`",end:"",starts:{end:"`",returnEnd:!1,contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"xml"}},p={begin:".?css`",end:"",starts:{end:"`",returnEnd:!1,
contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"css"}},_={begin:".?gql`",end:"",starts:{end:"`",returnEnd:!1,contains:[e.BACKSLASH_ESCAPE,m],subLanguage:"graphql"}},
k={className:"string",begin:"`",end:"`",contains:[e.BACKSLASH_ESCAPE,m]},b={className:"comment",variants:[e.COMMENT(/\/\*\*(?!\/)/,"\\*/",{relevance:0,contains:[
{begin:"(?=@[A-Za-z]+)",relevance:0,contains:[{className:"doctag",begin:"@[A-Za-z]+"},{className:"type",begin:"\\{",end:"\\}",excludeEnd:!0,excludeBegin:!0,relevance:0},
{className:"variable",begin:r+"(?=\\s*(-)|$)",endsParent:!0,relevance:0},{begin:/(?=[^\n])\s/,relevance:0}]}]}),e.C_BLOCK_COMMENT_MODE,e.C_LINE_COMMENT_MODE]},w=[
e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,d,p,_,k,{match:/\$\d+/},f];m.contains=w.concat({begin:/\{/,end:/\}/,keywords:a,contains:["self"].concat(w)});let y=[].concat(
b,m.contains),x=y.concat([{begin:/(\s*)\(/,end:/\)/,keywords:a,contains:["self"].concat(y)}]),C={className:"params",begin:/(\s*)\(/,end:/\)/,excludeBegin:!0,excludeEnd:!0,
keywords:a,contains:x},$={variants:[{match:[/class/,/\s+/,r,/\s+/,/extends/,/\s+/,t.concat(r,"(",t.concat(/\./,r),")*")],scope:{1:"keyword",3:"title.class",5:"k\
eyword",7:"title.class.inherited"}},{match:[/class/,/\s+/,r],scope:{1:"keyword",3:"title.class"}}]},N={relevance:0,match:t.either(/\bJSON/,/\b[A-Z][a-z]+([A-Z][a-z]*|\d)*/,
/\b[A-Z]{2,}([A-Z][a-z]+|\d)+([A-Z][a-z]*)*/,/\b[A-Z]{2,}[a-z]+([A-Z][a-z]+|\d)*([A-Z][a-z]*)*/),className:"title.class",keywords:{_:[...oc,...ic]}},I={label:"u\
se_strict",className:"meta",relevance:10,begin:/^\s*['"]use (strict|asm)['"]/},U={variants:[{match:[/function/,/\s+/,r,/(?=\s*\()/]},{match:[/function/,/\s*(?=\()/]}],
className:{1:"keyword",3:"title.function"},label:"func.def",contains:[C],illegal:/%/},L={relevance:0,match:/\b[A-Z][A-Z_0-9]+\b/,className:"variable.constant"};
function z(S){return t.concat("(?!",S.join("|"),")")}let H={match:t.concat(/\b/,z([...sc,"super","import"].map(S=>`${S}\\s*\\(`)),r,t.lookahead(/\s*\(/)),className:"\
title.function",relevance:0},te={begin:t.concat(/\./,t.lookahead(t.concat(r,/(?![0-9A-Za-z$_(])/))),end:r,excludeBegin:!0,keywords:"prototype",className:"proper\
ty",relevance:0},se={match:[/get|set/,/\s+/,r,/(?=\()/],className:{1:"keyword",3:"title.function"},contains:[{begin:/\(\)/},C]},E="(\\([^()]*(\\([^()]*(\\([^()]*\\)\
[^()]*)*\\)[^()]*)*\\)|"+e.UNDERSCORE_IDENT_RE+")\\s*=>",T={match:[/const|var|let/,/\s+/,r,/\s*/,/=\s*/,/(async\s*)?/,t.lookahead(E)],keywords:"async",className:{
1:"keyword",3:"title.function"},contains:[C]};return{name:"JavaScript",aliases:["js","jsx","mjs","cjs"],keywords:a,exports:{PARAMS_CONTAINS:x,CLASS_REFERENCE:N},
illegal:/#(?![$_A-z])/,contains:[e.SHEBANG({label:"shebang",binary:"node",relevance:5}),I,e.APOS_STRING_MODE,e.QUOTE_STRING_MODE,d,p,_,k,b,{match:/\$\d+/},f,N,{
scope:"attr",match:r+t.lookahead(":"),relevance:0},T,{begin:"("+e.RE_STARTERS_RE+"|\\b(case|return|throw)\\b)\\s*",keywords:"return throw case",relevance:0,contains:[
b,e.REGEXP_MODE,{className:"function",begin:E,returnBegin:!0,end:"\\s*=>",contains:[{className:"params",variants:[{begin:e.UNDERSCORE_IDENT_RE,relevance:0},{className:null,
begin:/\(\s*\)/,skip:!0},{begin:/(\s*)\(/,end:/\)/,excludeBegin:!0,excludeEnd:!0,keywords:a,contains:x}]}]},{begin:/,/,relevance:0},{match:/\s+/,relevance:0},{variants:[
{begin:o.begin,end:o.end},{match:i},{begin:s.begin,"on:begin":s.isTrulyOpeningTag,end:s.end}],subLanguage:"xml",contains:[{begin:s.begin,end:s.end,skip:!0,contains:[
"self"]}]}]},U,{beginKeywords:"while if switch catch for"},{begin:"\\b(?!function)"+e.UNDERSCORE_IDENT_RE+"\\([^()]*(\\([^()]*(\\([^()]*\\)[^()]*)*\\)[^()]*)*\\)\\s*\\{",
returnBegin:!0,label:"func.def",contains:[C,e.inherit(e.TITLE_MODE,{begin:r,className:"title.function"})]},{match:/\.\.\./,relevance:0},te,{match:"\\$"+r,relevance:0},
{match:[/\bconstructor(?=\s*\()/],className:{1:"title.function"},contains:[C]},H,L,$,se,{match:/\$[(.]/}]}}function cc(e){let t=e.regex,n=Pp(e),r=wr,o=["any","v\
oid","number","boolean","string","object","never","symbol","bigint","unknown"],i={begin:[/namespace/,/\s+/,e.IDENT_RE],beginScope:{1:"keyword",3:"title.class"}},
s={beginKeywords:"interface",end:/\{/,excludeEnd:!0,keywords:{keyword:"interface extends",built_in:o},contains:[n.exports.CLASS_REFERENCE]},a={className:"meta",
relevance:10,begin:/^\s*['"]use strict['"]/},l=["type","interface","public","private","protected","implements","declare","abstract","readonly","enum","override",
"satisfies"],c={$pattern:wr,keyword:nc.concat(l),literal:rc,built_in:lc.concat(o),"variable.language":ac},u={className:"meta",begin:"@"+r},f=(_,k,v)=>{let b=_.contains.
findIndex(w=>w.label===k);if(b===-1)throw new Error("can not find mode to replace");_.contains.splice(b,1,v)};Object.assign(n.keywords,c),n.exports.PARAMS_CONTAINS.
push(u);let m=n.contains.find(_=>_.scope==="attr"),d=Object.assign({},m,{match:t.concat(r,t.lookahead(/\s*\?:/))});n.exports.PARAMS_CONTAINS.push([n.exports.CLASS_REFERENCE,
m,d]),n.contains=n.contains.concat([u,i,s,d]),f(n,"shebang",e.SHEBANG()),f(n,"use_strict",a);let p=n.contains.find(_=>_.label==="func.def");return p.relevance=0,
Object.assign(n,{name:"TypeScript",aliases:["ts","tsx","mts","cts"]}),n}function uc(e){let t=e.regex,n=t.concat(/[\p{L}_]/u,t.optional(/[\p{L}0-9_.-]*:/u),/[\p{L}0-9_.-]*/u),r=/[\p{L}0-9._:-]+/u,o={className:"symbol",begin:/&[a-z]+;|&#[0-9]+;|&#x[a-f0-9]+;/},
i={begin:/\s/,contains:[{className:"keyword",begin:/#?[a-z_][a-z1-9_-]+/,illegal:/\n/}]},s=e.inherit(i,{begin:/\(/,end:/\)/}),a=e.inherit(e.APOS_STRING_MODE,{className:"\
string"}),l=e.inherit(e.QUOTE_STRING_MODE,{className:"string"}),c={endsWithParent:!0,illegal:/</,relevance:0,contains:[{className:"attr",begin:r,relevance:0},{begin:/=\s*/,
relevance:0,contains:[{className:"string",endsParent:!0,variants:[{begin:/"/,end:/"/,contains:[o]},{begin:/'/,end:/'/,contains:[o]},{begin:/[^\s"'=<>`]+/}]}]}]};
return{name:"HTML, XML",aliases:["html","xhtml","rss","atom","xjb","xsd","xsl","plist","wsf","svg"],case_insensitive:!0,unicodeRegex:!0,contains:[{className:"me\
ta",begin:/<![a-z]/,end:/>/,relevance:10,contains:[i,l,a,s,{begin:/\[/,end:/\]/,contains:[{className:"meta",begin:/<![a-z]/,end:/>/,contains:[i,s,l,a]}]}]},e.COMMENT(
/<!--/,/-->/,{relevance:10}),{begin:/<!\[CDATA\[/,end:/\]\]>/,relevance:10},o,{className:"meta",end:/\?>/,variants:[{begin:/<\?xml/,relevance:10,contains:[l]},{
begin:/<\?[a-z][a-z0-9]+/}]},{className:"tag",begin:/<style(?=\s|>)/,end:/>/,keywords:{name:"style"},contains:[c],starts:{end:/<\/style>/,returnEnd:!0,subLanguage:[
"css","xml"]}},{className:"tag",begin:/<script(?=\s|>)/,end:/>/,keywords:{name:"script"},contains:[c],starts:{end:/<\/script>/,returnEnd:!0,subLanguage:["javasc\
ript","handlebars","xml"]}},{className:"tag",begin:/<>|<\/>/},{className:"tag",begin:t.concat(/</,t.lookahead(t.concat(n,t.either(/\/>/,/>/,/\s/)))),end:/\/?>/,
contains:[{className:"name",begin:n,relevance:0,starts:c}]},{className:"tag",begin:t.concat(/<\//,t.lookahead(t.concat(n,/>/))),contains:[{className:"name",begin:n,
relevance:0},{begin:/>/,relevance:0,endsParent:!0}]}]}}function fc(e){let t="true false yes no null",n="[\\w#;/?:@&=+$,.~*'()[\\]]+",r={className:"attr",variants:[{begin:/[\w*@][\w*@ :()\./-]*:(?=[ \t]|$)/},{begin:/"[\w*@][\w*@ :()\./-]*":(?=[ \t]|$)/},
{begin:/'[\w*@][\w*@ :()\./-]*':(?=[ \t]|$)/}]},o={className:"template-variable",variants:[{begin:/\{\{/,end:/\}\}/},{begin:/%\{/,end:/\}/}]},i={className:"stri\
ng",relevance:0,begin:/'/,end:/'/,contains:[{match:/''/,scope:"char.escape",relevance:0}]},s={className:"string",relevance:0,variants:[{begin:/"/,end:/"/},{begin:/\S+/}],
contains:[e.BACKSLASH_ESCAPE,o]},a=e.inherit(s,{variants:[{begin:/'/,end:/'/,contains:[{begin:/''/,relevance:0}]},{begin:/"/,end:/"/},{begin:/[^\s,{}[\]]+/}]}),
m={className:"number",begin:"\\b"+"[0-9]{4}(-[0-9][0-9]){0,2}"+"([Tt \\t][0-9][0-9]?(:[0-9][0-9]){2})?"+"(\\.[0-9]*)?"+"([ \\t])*(Z|[-+][0-9][0-9]?(:[0-9][0-9])?\
)?"+"\\b"},d={end:",",endsWithParent:!0,excludeEnd:!0,keywords:t,relevance:0},p={begin:/\{/,end:/\}/,contains:[d],illegal:"\\n",relevance:0},_={begin:"\\[",end:"\
\\]",contains:[d],illegal:"\\n",relevance:0},k=[r,{className:"meta",begin:"^---\\s*$",relevance:10},{className:"string",begin:"[\\|>]([1-9]?[+-])?[ ]*\\n( +)[^ ][\
^\\n]*\\n(\\2[^\\n]+\\n?)*"},{begin:"<%[%=-]?",end:"[%-]?%>",subLanguage:"ruby",excludeBegin:!0,excludeEnd:!0,relevance:0},{className:"type",begin:"!\\w+!"+n},{
className:"type",begin:"!<"+n+">"},{className:"type",begin:"!"+n},{className:"type",begin:"!!"+n},{className:"meta",begin:"&"+e.UNDERSCORE_IDENT_RE+"$"},{className:"\
meta",begin:"\\*"+e.UNDERSCORE_IDENT_RE+"$"},{className:"bullet",begin:"-(?=[ ]|$)",relevance:0},e.HASH_COMMENT_MODE,{beginKeywords:t,keywords:{literal:t}},m,{className:"\
number",begin:e.C_NUMBER_RE+"\\b",relevance:0},p,_,i,s],v=[...k];return v.pop(),v.push(a),d.contains=v,{name:"YAML",case_insensitive:!0,aliases:["yml"],contains:k}}var Mc=af(Tc(),1);var Nc=Mc.default;var Ic={},Sm="hljs-";function di(e){let t=Nc.newInstance();return e&&i(e),{highlight:n,highlightAuto:r,listLanguages:o,register:i,registerAlias:s,registered:a};
function n(l,c,u){let f=u||Ic,m=typeof f.prefix=="string"?f.prefix:Sm;if(!t.getLanguage(l))throw new Error("Unknown language: `"+l+"` is not registered");t.configure(
{__emitter:fi,classPrefix:m});let d=t.highlight(c,{ignoreIllegals:!0,language:l});if(d.errorRaised)throw new Error("Could not highlight with `Highlight.js`",{cause:d.
errorRaised});let p=d._emitter.root,_=p.data;return _.language=d.language,_.relevance=d.relevance,p}function r(l,c){let f=(c||Ic).subset||o(),m=-1,d=0,p;for(;++m<
f.length;){let _=f[m];if(!t.getLanguage(_))continue;let k=n(_,l,c);k.data&&k.data.relevance!==void 0&&k.data.relevance>d&&(d=k.data.relevance,p=k)}return p||{type:"\
root",children:[],data:{language:void 0,relevance:d}}}function o(){return t.listLanguages()}function i(l,c){if(typeof l=="string")t.registerLanguage(l,c);else{let u;
for(u in l)Object.hasOwn(l,u)&&t.registerLanguage(u,l[u])}}function s(l,c){if(typeof l=="string")t.registerAliases(typeof c=="string"?c:[...c],{languageName:l});else{
let u;for(u in l)if(Object.hasOwn(l,u)){let f=l[u];t.registerAliases(typeof f=="string"?f:[...f],{languageName:u})}}}function a(l){return!!t.getLanguage(l)}}var fi=class{constructor(t){
this.options=t,this.root={type:"root",children:[],data:{language:void 0,relevance:0}},this.stack=[this.root]}addText(t){if(t==="")return;let n=this.stack[this.stack.
length-1],r=n.children[n.children.length-1];r&&r.type==="text"?r.value+=t:n.children.push({type:"text",value:t})}startScope(t){this.openNode(String(t))}endScope(){
this.closeNode()}__addSublanguage(t,n){let r=this.stack[this.stack.length-1],o=t.root.children;n?r.children.push({type:"element",tagName:"span",properties:{className:[
n]},children:o}):r.children.push(...o)}openNode(t){let n=this,r=t.split(".").map(function(s,a){return a?s+"_".repeat(a):n.options.classPrefix+s}),o=this.stack[this.
stack.length-1],i={type:"element",tagName:"span",properties:{className:r},children:[]};o.children.push(i),this.stack.push(i)}closeNode(){this.stack.pop()}finalize(){}toHTML(){
return""}};var $m=2e4,hi=di({bash:jl,cpp:zl,go:Wl,java:ql,javascript:Vl,json:Yl,python:Ql,rust:ec,sql:tc,typescript:cc,xml:uc,yaml:fc});hi.registerAlias({cpp:["c","h"]});function Fc(e,t){
if(e.length>$m||!hi.registered(t.toLowerCase()))return document.createTextNode(e);let n=document.createDocumentFragment();return Oc(n,hi.highlight(t.toLowerCase(),
e).children),n}function Oc(e,t){for(let n of t)if(n.type==="text")e.appendChild(document.createTextNode(n.value));else{let r=document.createElement("span");r.className=
n.properties.className.join(" "),Oc(r,n.children),e.appendChild(r)}}var pi=null,mi=null;function gi(e,t){let n=document.createElement(t?"div":"span");return n.className=t?"math display":"math",t&&(n.tabIndex=0),n.textContent=e,mi?
mi(e,n,t):(pi??=import("./math.js?v=7d00f93b4acb").then(r=>(mi=r.render,r)),pi.then(r=>r.render(e,n,t),()=>pi=null)),n}var Tm={paragraph_open:"p",bullet_list_open:"ul",ordered_list_open:"ol",list_item_open:"li",blockquote_open:"blockquote",thead_open:"thead",tbody_open:"tbody",tr_open:"\
tr",strong_open:"strong",em_open:"em",s_open:"s"},Mm=/^(https?:|mailto:)/i;function ce(e,t,n){let r=document.createElement(e);return t&&(r.className=t),n!==void 0&&
(r.textContent=n),r}function Lc(e){if(e.type==="heading_open"){let r=ce(`h${Math.min(6,Number(e.tag[1])+2)}`);return[r,r]}if(e.type==="table_open"){let r=ce("di\
v","table");r.tabIndex=0;let o=ce("table");return r.append(o),[r,o]}if(e.type==="th_open"||e.type==="td_open"){let r=/text-align:(\w+)/.exec(String(e.attrGet("s\
tyle")))?.[1],o=ce(e.tag,r?`align-${r}`:"");return[o,o]}if(e.type==="link_open"){let r=String(e.attrGet("href")),o=ce(Mm.test(r)?"a":"span");return o.tagName.toLowerCase()===
"a"&&(o.setAttribute("href",r),o.setAttribute("target","_blank"),o.setAttribute("rel","noopener noreferrer nofollow")),[o,o]}let t=ce(Tm[e.type]??"div"),n=e.type===
"ordered_list_open"?e.attrGet("start"):null;return n!==null&&t.setAttribute("start",String(n)),[t,t]}function Bc(e,t,n){switch(e.type){case"text":case"text_spec\
ial":return n?Nm(e.content):document.createTextNode(e.content);case"softbreak":return document.createTextNode(`
`);case"hardbreak":return ce("br");case"code_inline":return ce("code","",e.content);case"fence":case"code_block":return _i(e,t,Fc(e.content,Pc(e)));case"hr":return ce(
"hr");case"image":return document.createTextNode(`[${e.content||"image"}]`);case"math_inline":return gi(e.content,e.meta?.display===!0);case"math_block":return e.
meta?.closed?gi(e.content,!0):ce("p","",`${e.markup}${e.content}`);default:return document.createTextNode(e.content)}}function Nm(e){let t=document.createDocumentFragment();
return e.split(/<br\s*\/?>/i).forEach((n,r)=>{r&&t.append(ce("br")),t.append(n)}),t}var Pc=e=>e.info.trim().split(/\s+/)[0]??"";function _i(e,t,n){let r=ce("fig\
ure","code"),o=ce("figcaption"),i=ce("button","quiet",t.copy);i.setAttribute("type","button"),i.dataset.copy="",o.append(ce("span","",Pc(e)),i);let s=ce("pre");
s.tabIndex=0;let a=ce("code");return a.append(n),s.append(a),r.append(o,s),r}var Im=1e3,Ar=class{constructor(t){this.token=t,this.children=[],this.open=!1,this.inner=null,this.text=null,this.last=null,this.closed={length:0,count:0,lead:"",
asked:0}}};function qt(e){let t=[],n=[t];for(let r of e){let o=n.at(-1);if(r.nesting===-1)n.pop();else if(r.hidden)n.push(o);else{let i=new Ar(r);o.push(i),r.nesting===
1&&n.push(i.children)}}return t}var Fm=e=>e.type==="fence"||e.type==="code_block";function Uc(e){for(let t=e.at(-1);t;t=t.children.at(-1))t.open=Fm(t.token)}var Om=(e,t)=>e.
type===t.type&&e.tag===t.tag&&e.markup===t.markup&&e.info===t.info&&String(e.attrs)===String(t.attrs)&&e.meta?.closed===t.meta?.closed&&e.meta?.display===t.meta?.
display,An=class{constructor(t,n){this.environment=t,this.labels=n}update(t,n,r,o=null){let i=0;for(;i<Math.min(n.length,r.length)&&this.keep(t,n[i],r[i],i===n.
length-1,o);)o=r[i++].last;for(;t.lastChild&&t.lastChild!==o;)t.removeChild(t.lastChild);for(let s of r.slice(i))this.draw(t,s),s.last=t.lastChild}keep(t,n,r,o,i){
if(n===r)return!0;if(!Om(n.token,r.token)||n.open!==r.open)return!1;let[s,a]=[n.token.content,r.token.content];if(r.inner=n.inner,r.text=n.text,r.last=n.last,r.
token.type==="inline"&&s===a)r.children=n.children,r.closed=n.closed;else if(r.token.type==="inline"){if(!o)return!1;this.grow(r,n),this.update(t,n.children,r.children,
i),r.last=t.lastChild}else if(n.inner)this.update(n.inner,n.children,r.children);else if(s!==a){if(!n.text||!a.startsWith(s))return!1;n.text.appendData(a.slice(
s.length))}return!0}draw(t,n){let{token:r}=n;if(n.text=null,r.type==="inline")n.children=this.inside(r.content),this.update(t,[],n.children,t.lastChild);else if(r.
nesting===1){let[o,i]=Lc(r);this.update(i,[],n.children),t.appendChild(o),n.inner=i}else if(n.open)n.text=document.createTextNode(r.content),t.appendChild(_i(r,
this.labels,n.text));else{let o=/^t[dh]$/i.test(t.tagName??""),i=t.appendChild(Bc(r,this.labels,o));r.type==="text"&&!o&&(n.text=i)}}inside(t,n=""){let r=vr(t,this.
environment);return n&&r[0]?.type==="text"?r[0].content=n+r[0].content:n&&r.unshift(Bl(n)),qt(r)}grow(t,n){let{content:r}=t.token,o=r.startsWith(n.token.content.
slice(0,n.closed.length)),{length:i,count:s,lead:a,asked:l}=o?n.closed:new Ar(t.token).closed;t.closed={length:i,count:s,lead:a,asked:l},t.children=n.children.slice(
0,s),r.length>=l+Im&&(t.closed.asked=r.length,this.close(t,Ul(r.slice(i),this.environment))),t.children.push(...this.inside(r.slice(t.closed.length),t.closed.lead))}close({
token:t,children:n,closed:r},o){if(o===0)return;n.push(...this.inside(t.content.slice(r.length,r.length+o),r.lead));let i=n.at(-1)?.token;r.lead=i?.type==="text"?
i.content:"",r.lead&&n.pop(),r.length+=o,r.count=n.length}};var jc=2e5;function bi(e,t,n){if(t.length>jc){e.appendChild(ce("pre","",t));return}let r={};new An(r,n).update(e,[],qt(zt(t,r)))}var Dr=class{constructor(t,n){this.
place=t,this.labels=n,this.growing=new br,this.reconciler=new An(this.growing.environment,n),this.tail=[],this.final=null}push(t){let{done:n,tail:r}=this.growing.
push(t),o=qt([...n,...r]),i=qt(n).length;Uc(o.slice(i)),this.reconciler.update(this.place,this.tail,o,this.final),this.final=o[i-1]?.last??this.final,this.tail=
o.slice(i)}finish(){let{text:t,definesLinks:n,environment:r}=this.growing;n||t.length>jc?(this.place.replaceChildren(),bi(this.place,t,this.labels)):this.reconciler.
update(this.place,this.tail,qt(zt(this.growing.tail,r)),this.final)}};var zc=()=>({copy:h("copy")});function Wc({text:e,source:t,follow:n}){let r=oe(null),o=oe("");return ft(()=>{if(!t)return;let i=new vi(r.current,n.before,n.after);
return i.push(t.message.content),t.onText=s=>i.push(s),()=>{t.onText=()=>{},i.finish(),o.current=`${ke.value} ${t.message.content}`}},[t]),ft(()=>{let i=`${ke.value}\
 ${e}`;t||o.current===i||(r.current.replaceChildren(),bi(r.current,e,zc()),o.current=i)},[t,e,ke.value]),g`<div class="markdown" ref=${r}></div>`}var vi=class{constructor(t,n,r){
t.replaceChildren(),this.text=new Dr(t,zc()),this.beforeDraw=n,this.afterDraw=r,this.waiting="",this.timer=0,this.earliest=0}push(t){this.waiting+=t,this.timer===
0&&(this.timer=window.setTimeout(()=>requestAnimationFrame(()=>this.draw()),Math.max(0,this.earliest-performance.now())))}draw(){if(this.timer=0,this.waiting===
"")return;let t=performance.now();this.beforeDraw();let n=this.waiting;this.waiting="",this.text.push(n),this.afterDraw(),this.earliest=performance.now()+Math.max(
30,4*(performance.now()-t))}finish(){clearTimeout(this.timer),this.draw(),this.text.finish()}};var st=A("heat"),Me=A(""),He=A(null),yt=A([]);function Sr(e){He.value=e.messages??null,e.text!==void 0&&(Me.value=e.text,yt.value=e.fillings??[]),st.value=e.fillings?
"layout":"heat"}var Lm=2e3,Bm=128,Pm=250;function yi(e,t=j.value.system){return[...t?[{role:"system",content:t}]:[],...e.map(({role:n,content:r,tool_calls:o,tool_call_id:i})=>({
role:n,content:r,...i?{tool_call_id:i}:{},...o?.length?{tool_calls:o.map(({id:s,name:a,arguments:l})=>({id:s,type:"function",function:{name:a,arguments:l}}))}:{}}))]}
var ki=class{constructor(t,n){this.message=t,this.before=n,this.abort=new AbortController,this.began=performance.now(),this.firstAt=0,this.tokens=0,this.firstTokens=
0,this.shownAt=0,this.speed=A(0),this.reading=A(!0),this.calls=A(t.tool_calls??[]),this.onText=()=>{}}stop(){this.abort.abort()}async go(){let{message:t}=this,n={
model:O.value?.id,messages:yi(this.before),stream_options:{include_usage:!0,continuous_usage_stats:!0},...Oo(),...ca()};t.content&&n.messages.push({role:"assist\
ant",content:t.content});let r=performance.now();t.finish=null;try{for await(let o of ir("v1/chat/completions",n,this.abort.signal))this.take(o),performance.now()-
r>Lm&&(r=performance.now(),Nt([t]));t.finish??="cut"}catch(o){this.abort.signal.aborted?t.finish="stopped":o instanceof pt?t.finish??="cut":Object.assign(t,{finish:"\
error",error:Le(o)})}finally{t.seconds=(performance.now()-this.began)/1e3,de.value===this&&(de.value=null),j.value.id===t.conversation?tt([{...t}]):ta(t),Ee.value=
h(t.finish==="error"?"chat.failed":"chat.finished",{n:t.content.length})}}take(t){let{message:n}=this;t.model&&(n.model=t.model),t.usage&&(n.usage=t.usage);let r=t.
choices?.[0];if(!r)return;let{content:o,tool_calls:i}=r.delta??{};o&&(n.content+=o,this.onText(o));for(let s of i??[])this.takeCall(s);(o||i)&&this.count(t.usage?.
completion_tokens),r.finish_reason&&(n.finish=r.finish_reason)}takeCall(t){if(!(t.index>=0&&t.index<Bm))return;let n=[...this.message.tool_calls??[]],r=n[t.index]??
{id:"",name:"",arguments:""};n[t.index]={id:t.id??r.id,name:t.function?.name??r.name,arguments:r.arguments+(t.function?.arguments??"")},this.message.tool_calls=
n,this.calls.value=n}count(t){let n=performance.now();this.tokens=t??this.tokens+1,this.firstAt===0?(this.firstAt=n,this.firstTokens=this.tokens,this.reading.value=
!1):n>this.shownAt+Pm&&(this.shownAt=n,this.speed.value=(this.tokens-this.firstTokens)/(n-this.firstAt)*1e3)}};function Dn(e,t){de.value?.stop();let n=t?{...t,error:void 0}:
{id:Pe(),conversation:j.value.id,parent:e,role:"assistant",content:"",created:Date.now(),sampling:Oo()};tt([n],n.id);let r=new ki(n,sn(De.value,e));return de.value=
r,Ee.value=h("chat.writing"),r.go()}function $r(e,t){let n={id:Pe(),conversation:j.value.id,parent:t,role:"user",content:e,created:Date.now()};return tt([n],n.id),
Dn(n.id)}function Hc(e,t){let n=e.id,r=(e.tool_calls??[]).map(o=>{let i={id:Pe(),conversation:j.value.id,parent:n,role:"tool",content:t[o.id]??"",tool_call_id:o.
id,created:Date.now()};return n=i.id,i});return tt(r,n),Dn(n)}addEventListener("pagehide",()=>de.value?.stop());function Jc({message:e,last:t,follow:n}){let r=Q(!1),o=de.value?.message.id===e.id?de.value:null;return g`
    <article class=${`message ${e.role}`} aria-label=${h(`role.${e.role}`)} aria-busy=${o!==null}>
      ${r.value?g`<${Km} message=${e} done=${()=>r.value=!1} />`:g`<${Um} message=${e} run=${o} follow=${n} />`}
      ${(o?o.calls.value:e.tool_calls??[]).map(i=>g`<${jm} call=${i} />`)}
      ${t&&!o&&e.tool_calls?.length&&e.finish!=="error"?g`<${zm} message=${e} />`:null}
      <${Wm} message=${e} run=${o} last=${t} follow=${n} />
      ${!o&&!r.value&&g`<${Hm} message=${e} edit=${()=>r.value=!0} />`}
    </article>
  `}function Um({message:e,run:t,follow:n}){return e.role!=="assistant"?g`<div class="plain">${e.content}</div>`:g`
    <${Wc} text=${e.content} source=${t} follow=${n} />
    ${t?.reading.value&&et.value.length===0&&g`<p class="waiting"><span class="dots" aria-hidden="true"></span>${h("chat.reading")}</p>`}
  `}function jm({call:e}){let t=e.arguments;try{t=JSON.stringify(JSON.parse(t),null,2)}catch{}return g`
    <details class="tool" open>
      <summary>${h("tool.call")} <code>${e.name}</code></summary>
      <pre tabindex="0"><code>${t}</code></pre>
    </details>
  `}function zm({message:e}){return g`
    <form class="results" onSubmit=${n=>{n.preventDefault(),Hc(e,Object.fromEntries(new FormData(n.currentTarget)))}}>
      ${(e.tool_calls??[]).map(n=>g`
          <div class="field">
            <label for=${`result-${n.id}`}>${h("tool.result",{name:n.name})}</label>
            <textarea id=${`result-${n.id}`} name=${n.id} rows="2" class="mono" required></textarea>
          </div>
        `)}
      <div class="row"><button type="submit">${h("tool.send")}</button></div>
    </form>
  `}function Wm({message:e,run:t,last:n,follow:r}){if(ft(()=>{n&&e.error&&r.after()},[e.error]),t)return g`<p class="meta">${t.speed.value>0?h("speed",{n:le(t.speed.
value,{maximumFractionDigits:1})}):""}</p>`;if(e.role!=="assistant")return null;let o=e.finish??"cut",i=e.parent;return g`
    ${e.error&&g`<p class="error" role="alert">${e.error}</p>`}
    ${["stopped","cut","length","edited"].includes(o)&&g`
      <p class="note">${h(`finish.${o}`)}
        ${n&&i!==null&&g` <button type="button" class="link" onClick=${()=>Dn(i,e)}>${h("continue")}</button>`}</p>
    `}
  `}function Hm({message:e,edit:t}){let n=So(De.value,e.parent),r=n.findIndex(({id:s})=>s===e.id),o=s=>na(n[r+s].id),i=e.parent;return g`
    <div class="actions">
      ${n.length>1&&g`
        <span class="siblings" role="group" aria-label=${h("branches")}>
          <${Y} icon="left" label=${h("branch.earlier")} disabled=${r===0} onClick=${()=>o(-1)} />
          <span>${r+1}/${n.length}</span>
          <${Y}
            icon="right"
            label=${h("branch.later")}
            disabled=${r===n.length-1}
            onClick=${()=>o(1)}
          />
        </span>
      `}
      <${Y}
        icon="copy"
        label=${h("copy")}
        onClick=${async()=>ye(h(await It(e.content)?"copied":"copy.failed"))}
      />
      <${Y} icon="edit" label=${h("edit")} onClick=${t} />
      ${e.role==="assistant"&&i!==null&&g`
        <${Y} icon="again" label=${h("regenerate")} onClick=${()=>Dn(i)} />
        <${Y} icon="inside" label=${h("inside.open")} onClick=${()=>Jm(e)} />
      `}
      <${Y} icon="branch" label=${h("branch.out")} onClick=${()=>ra(e)} />
      ${e.role==="assistant"&&g`<${qm} message=${e} />`}
    </div>
  `}function Jm(e){let t=gt.value.findIndex(({id:n})=>n===e.id);Sr({messages:yi(gt.value.slice(0,t+1))}),Ze("inside")}function qm({message:e}){let{usage:t,seconds:n}=e;
if(!t)return null;let r=O.value?.context,o=n?t.completion_tokens/n:0;return g`
    <span class="meta">
      ${h("tokens",{n:t.completion_tokens})}${o>0&&` · ${h("speed",{n:le(o,{maximumFractionDigits:1})})}`}
      ${r?` · ${h("context.used",{used:t.total_tokens,all:r})}`:""}
    </span>
  `}function Km({message:e,done:t}){let n=Q(e.content),r=i=>{if(i.preventDefault(),t(),e.role==="user")$r(n.value,e.parent);else{let s={...e,id:Pe(),content:n.value,
created:Date.now(),finish:"edited",error:void 0};tt([s],s.id)}},o=i=>{ue(i)||(i.key==="Escape"&&t(),i.key==="Enter"&&(i.ctrlKey||i.metaKey)&&r(i))};return g`
    <form class="editor" onSubmit=${r}>
      <${Lo}
        aria-label=${h("edit")}
        value=${n.value}
        onInput=${i=>n.value=i}
        onKeyDown=${o}
        autofocus
      />
      <div class="row">
        <button type="submit" class="primary">${h(e.role==="user"?"edit.send":"edit.keep")}</button>
        <button type="button" onClick=${t}>${h("cancel")}</button>
      </div>
    </form>
  `}var wi=30;function qc(){let{area:e,away:t,follow:n}=da(),r=Q(wi),o=gt.value,i=j.value.id;ee(()=>{r.value=wi,n.toEnd()},[i]);let s=Math.max(0,o.length-r.value),a=l=>{
$r(l,j.value.leaf),requestAnimationFrame(n.toEnd)};return g`
    <div class="chat">
      <div class="transcript" ref=${e} onScroll=${n.onScroll} onClick=${Gm}>
        <div class="column" role="log" aria-live="off" aria-label=${h("transcript")}>
          ${o.length===0&&g`<${Zm} send=${a} />`}
          ${s>0&&g`
              <button type="button" class="earlier" onClick=${()=>r.value+=wi}>
                ${h("chat.earlier",{n:s})}
              </button>
            `}
          ${o.slice(s).map((l,c)=>g`
              <${Jc}
                key=${l.id}
                message=${l}
                last=${s+c===o.length-1}
                follow=${n}
              />
            `)}
        </div>
      </div>
      <div class="bottom">
        ${t.value&&g`<${Y} icon="down" label=${h("chat.end")} class="to-end" onClick=${n.toEnd} />`}
        ${O.value&&!O.value.chats?g`<${Xm} />`:g`<${fa} onSend=${a} />`}
      </div>
      <${ua} />
    </div>
  `}async function Gm(e){let n=e.target.closest?.("[data-copy]")?.closest("figure")?.querySelector("code");n&&ye(h(await It(n.textContent)?"copied":"copy.failed"))}
function Zm({send:e}){return O.value&&!O.value.chats?null:g`
    <div class="welcome">
      <h1>${h("chat.welcome")}</h1>
      <div class="examples">
        ${["chat.example1","chat.example2","chat.example3"].map(t=>g`<button type="button" onClick=${()=>e(h(t))}>${h(t)}</button>`)}
      </div>
    </div>
  `}function Xm(){return g`
    <p class="note">${h("chat.cannot",{model:O.value?.id??""})}
      <button type="button" class="link" onClick=${()=>Ze("fill")}>${h("view.fill")}</button></p>
  `}function Kc({onChoose:e}){let t=Q(""),n=r=>{r!==j.value.id&&de.value?.stop(),No(r),Ze("chat"),e()};return g`
    <section class="history" aria-label=${h("history")}>
      <button type="button" class="wide new" onClick=${()=>(pn(),Ze("chat"),e())}>
        <${Ft} name="plus" />${h("chat.new")}
      </button>
      <ul>
        ${hn.value.map(r=>g`
            <li key=${r.id} class=${fn.value==="chat"&&r.id===j.value.id?"here":""}>
              ${t.value===r.id?g`<${Vm} conversation=${r} done=${()=>t.value=""} />`:g`
                    <button
                      type="button"
                      class="title"
                      aria-current=${r.id===j.value.id?"true":void 0}
                      onClick=${()=>n(r.id)}
                    >
                      ${r.title||h("chat.untitled")}
                    </button>
                    <${Y}
                      icon="edit"
                      label=${`${h("rename")}: ${r.title}`}
                      onClick=${()=>t.value=r.id}
                    />
                    <${Y}
                      icon="trash"
                      label=${`${h("delete")}: ${r.title}`}
                      onClick=${()=>oa(r)}
                    />
                  `}
            </li>
          `)}
      </ul>
    </section>
  `}function Vm({conversation:e,done:t}){let n=i=>{ia(e,i.target.value.trim()||e.title),t()},r=i=>{ue(i)||(i.key==="Enter"&&n(i),i.key==="Escape"&&(i.target.value=
e.title,t()))},o=oe(null);return ee(()=>o.current?.focus(),[]),g`
    <input ref=${o} aria-label=${h("rename")} defaultValue=${e.title} onKeyDown=${r} onBlur=${n} />
  `}var Gc=e=>`h h${Math.min(15,Math.max(0,Math.floor(e*16)))}`,xi=e=>e===null?"h":Gc(-e/10);function Zc(e,t){if(e==="absolute")return({logprob:i})=>xi(i);if(e==="r\
ank")return({logprob:i,rank:s})=>i===null?"h":`h rank${s===null?3:s===1?0:s<=3?1:2}`;let n=t.filter(i=>i!==null),r=n.reduce((i,s)=>i+s,0)/Math.max(1,n.length),o=Math.
sqrt(n.reduce((i,s)=>i+(s-r)**2,0)/Math.max(1,n.length))||1;return({logprob:i})=>i===null?"h":Gc(.5-(i-r)/(5*o))}function Xc(e){let[t]=e.fillings;return t.blanks.map((n,r)=>({id:n.id,options:Ei(e.fillings.map(o=>o.blanks[r])),text:n.text,locked:!1,madeWith:Object.fromEntries(
t.blanks.slice(0,r).map(o=>[o.id,o.text])),scoredWith:""}))}function Ei(e){let t=new Map;for(let{text:n,logprob:r,tokens:o}of e){let i=t.get(n);i?i.times++:t.set(
n,{text:n,logprob:r,tokens:o??[],times:1,own:!1})}return Tr([...t.values()])}var Tr=e=>[...e].sort((t,n)=>(n.logprob??-1/0)-(t.logprob??-1/0));function Sn(e){let t=Math.
max(...e.map(({logprob:o})=>o??-1/0)),n=e.map(({logprob:o})=>o===null||t===-1/0?0:Math.exp(o-t)),r=n.reduce((o,i)=>o+i,0);return n.map(o=>r>0?o/r:0)}var Mr=(e,t)=>JSON.
stringify(e.filter(n=>n.id!==t).map(({text:n})=>n)),Nr=(e,t)=>Object.entries(t.madeWith).some(([n,r])=>e.find(o=>o.id===n)?.text!==r),wt=(e,t,n)=>e.map(r=>r.id===
t?{...r,...n}:r);function Vc(e,t){let n=new Map(t.map(({text:r,logprob:o})=>[r,o]));return Tr(e.map(r=>({...r,logprob:n.get(r.text)??r.logprob})))}var Ir=(e,t,n)=>e.
map(r=>{if("text"in r)return r;let{id:o,hint:i}=r.blank,s=n(o,i);return s?{blank:s}:{text:t.find(a=>a.id===o)?.text??""}}),Yc=(e,t)=>e.map(n=>"text"in n?n.text:
t.find(({id:r})=>r===n.blank.id)?.text??"").join("");var Qc=/(\\?)(_{3,}|＿{2,}|（[ \u3000]*）)(?:\{(word|phrase|sentence|paragraph|\d{1,4})\})?/gu,Ci="____",eu={word:4,phrase:12,sentence:48,paragraph:160},Fr=[
"",...Object.keys(eu)];function xt(e){let t=[],n="",r=0,o=0;for(let i of e.matchAll(Qc)){if(n+=e.slice(r,i.index),r=i.index+i[0].length,i[1]){n+=i[0].slice(1);continue}
n&&t.push({text:n}),n="",t.push({blank:{id:`b${++o}`,hint:i[3]??""}})}return n+=e.slice(r),n&&t.push({text:n}),t}var $n=e=>xt(e).flatMap(t=>"blank"in t?[t.blank]:
[]);function tu(e,t,n){let r=-1;return e.replace(Qc,(o,i,s)=>i||++r!==t?o:n?`${s}{${n}}`:s)}function Ri(e){let t=eu[e]??Number(e);return t>0?{max_tokens:t}:{}}function Or(e,t){
let n="",r=0;for(let[o,i]of Ai(e,t))n+=e.slice(r,o)+Ci,r=i;return n+e.slice(r)}function Ai(e,t){let n=[];for(let[r,o]of[...t].sort((i,s)=>i[0]-s[0])){let i=n.at(
-1);i&&e.slice(i[1],r).trim()===""?i[1]=Math.max(i[1],o):n.push([r,o])}return n}var Lr=(e,t)=>[...new Intl.Segmenter(t,{granularity:"word"}).segment(e)].map(({segment:n,
index:r,isWordLike:o})=>({text:n,start:r,isWord:o===!0}));var pe=A(""),Et=A({text:"",ranges:[]}),Di=Re(()=>{let{text:e,ranges:t}=Et.value;return t.length&&Or(e,t)===pe.value&&xt(e).every(n=>"text"in n)?e:null}),Ne=A({n:5,
temperature:"",beams:!1}),Se=A([]),K=A(null),Je=A([]),Ce=A({}),be=A(null),we=A(""),Kt=A(""),Tn=[],Mn=A(!1),Nn=Re(()=>K.value?Yc(Se.value,K.value):"");function Ct(e){
K.value&&Tn.push(K.value),Mn.value=Tn.length>0,K.value=e}function nu(){Tn=[],Mn.value=!1}function Si(){let e=Tn.pop();e&&(K.value=e),Mn.value=Tn.length>0}function Rt(e){
pe.value=e}function ru(){be.value?.abort(),K.value=null,Ce.value={}}var In=e=>K.value?.find(t=>t.id===e),Br=e=>Object.fromEntries((K.value??[]).filter(t=>t.id!==
e).map(t=>[t.id,t.text]));function ou(e,t){let n=K.value,r=In(e);r.text!==t&&Ct(wt(n,e,{text:t,madeWith:r.scoredWith?Br(e):r.madeWith})),we.value="";let o=K.value,
i=o.filter(s=>Nr(o,s)).length;Ee.value=i?h("fill.stale.count",{n:i}):t}function iu(e){K.value=wt(K.value,e,{locked:!In(e).locked})}function su(e){let t=Je.value[e].
blanks,n=new Map(t.map(({id:r,text:o})=>[r,o]));Ct(K.value.map(r=>({...r,text:n.get(r.id)??r.text,madeWith:Object.fromEntries(Object.keys(r.madeWith).map(o=>[o,
n.get(o)??r.madeWith[o]]))})))}function au(e){return e==="markers"?pe.value:e==="json"?JSON.stringify({segments:Se.value,fillings:(K.value??[]).map(({id:t,text:n,
options:r})=>({id:t,text:n,options:Tr(r)}))},null,1):Nn.value}var lu=e=>ye(h(e?"copied":"copy.failed"));var cu=()=>({model:O.value?.id,top_logprobs:5,...Ne.value.temperature.trim()===""?{}:{temperature:Number(Ne.value.temperature)},...Ne.value.beams?{beams:Math.max(
2,Ne.value.n)}:{}});async function $i(e){be.value?.abort();let t=new AbortController;be.value=t,Kt.value="";try{return await e(t.signal)}catch(n){t.signal.aborted||
(Kt.value=n instanceof pt?h("finish.cut"):Le(n));return}finally{be.value===t&&(be.value=null)}}function Fn(){let e=K.value,t=new Map((e??[]).filter(({locked:r})=>r).
map(r=>[r.id,r]));e||(Se.value=xt(pe.value),nu());let n=Se.value.flatMap(r=>"blank"in r&&!t.has(r.blank.id)?[r.blank.id]:[]);return n.length===0?Promise.resolve():
(Ce.value=Object.fromEntries(n.map(r=>[r,""])),Ee.value=h("fill.running"),$i(async r=>{let o={...cu(),n:Ne.value.n,segments:Ir(Se.value,e??[],(i,s)=>t.has(i)?null:
{id:i,...Ri(s)})};try{for await(let i of ir("infill",o,r))if(i.fillings){Je.value=i.fillings;let s=Object.fromEntries([...t].map(([c,u])=>[c,u.text])),a=Xc(i).map(
c=>({...c,madeWith:{...s,...c.madeWith}})),l=Se.value.flatMap(c=>"blank"in c?[c.blank.id]:[]);Ct(l.map(c=>t.get(c)??a.find(u=>u.id===c))),Ee.value=h("fill.done",
{text:Nn.value})}else if((i.filling??0)===0&&i.delta){let s=n[i.blank];Ce.value={...Ce.value,[s]:Ce.value[s]+i.delta}}}finally{r.aborted&&!e&&Ym(n),Ce.value={}}}))}
function Ym(e){let t=Ce.value;e.some(n=>t[n])&&(Je.value=[],Ct(e.map(n=>({id:n,options:[{text:t[n],logprob:null,tokens:[],times:1,own:!1}],text:t[n],locked:!1,madeWith:{},
scoredWith:""}))))}var uu=e=>$i(async t=>{let n=K.value,r=(a,l)=>a===e?{id:e,...Ri(l)}:null,o=await Ae("infill",{...cu(),n:Ne.value.n,segments:Ir(Se.value,n,r)},
t),i=Ei(o.fillings.map(a=>a.blanks[0])),s={options:i,text:i[0].text,madeWith:Br(e),scoredWith:Mr(n,e)};Ct(wt(K.value,e,s)),Ee.value=i[0].text}),Ti=(e,t)=>$i(async n=>{
let r=K.value,o=In(e),i=t===void 0||o.options.some(({text:m})=>m===t)?o.options:[...o.options,{text:t,logprob:null,tokens:[],times:0,own:!0}],s=m=>m===e?{id:e}:
null,a=i.map(({text:m})=>m).filter(m=>m!==""),l={model:O.value?.id,choices:a,segments:Ir(Se.value,r,s)},u={options:Vc(i,a.length?(await Ae("score",l,n)).scores:
[]),scoredWith:Mr(r,e)},f=K.value;t===void 0?K.value=wt(f,e,u):Ct(wt(f,e,{...u,text:t,madeWith:Br(e)}))});function Mi(e){we.value=e;let t=In(e),n=K.value;!be.value&&
n.length>1&&t.options.length>1&&t.scoredWith!==Mr(n,e)&&Ti(e)}var fu=e=>e===""?"∅":e.replace(/^ | $/g,"·").replaceAll(`
`,"⏎");function du({blank:e,stale:t,move:n}){let{id:r,options:o}=e,i=Q(Math.max(0,o.findIndex(({text:_})=>_===e.text))),s=oe(null),a=oe(null),l=Sn(o),c=Math.min(
i.value,o.length-1),u=()=>{we.value="",document.getElementById(`blank-${r}`)?.focus()},f=async()=>{await uu(r),s.current?.focus()},m=_=>{ou(r,o[_].text),document.
getElementById(`blank-${r}`)?.focus()};ft(()=>{s.current?.focus({preventScroll:!0}),ng(a.current);let _=k=>{k.target.closest?.(".blank-place.open")||(we.value="")};
return document.addEventListener("pointerdown",_),()=>document.removeEventListener("pointerdown",_)},[]);let d=_=>{if(ue(_))return;let k={ArrowDown:()=>i.value=
Math.min(o.length-1,c+1),ArrowUp:()=>i.value=Math.max(0,c-1),Home:()=>i.value=0,End:()=>i.value=o.length-1,Enter:()=>m(c)," ":()=>m(c),ArrowRight:()=>(n(s.current,
1),we.value=""),ArrowLeft:()=>(n(s.current,-1),we.value="")},v=/^[1-9]$/.test(_.key)&&o[Number(_.key)-1]?()=>m(Number(_.key)-1):k[_.key];!v||_.ctrlKey||_.metaKey||
_.altKey||(_.preventDefault(),v())};return g`
    <div class="alternatives" ref=${a} onKeyDown=${_=>{_.key!=="Escape"||ue(_)||(_.stopPropagation(),u())}}>
      <ul
        role="listbox"
        tabindex="0"
        ref=${s}
        aria-label=${h("fill.alternatives")}
        aria-activedescendant=${`${r}-${c}`}
        onKeyDown=${d}
      >
        ${o.map((_,k)=>g`
            <li
              role="option"
              id=${`${r}-${k}`}
              key=${_.text}
              aria-selected=${_.text===e.text}
              class=${k===c?"active":""}
              onClick=${()=>m(k)}
              aria-label=${`${_.text||h("fill.empty")}, ${_e(l[k])}`}
            >
              <span class="text"><${Qm} option=${_} /></span>
              <${On} share=${l[k]} />
              <span class="details">${eg(_)}</span>
            </li>
          `)}
      </ul>
      <p class="legend">${h("fill.share")}${t?` ${h("fill.stale")}`:""}</p>
      <${tg} id=${r} />
      <div class="row wrap">
        <button type="button" disabled=${be.value!==null} onClick=${f}>${h("fill.refill")}</button>
        <button type="button" aria-pressed=${e.locked} onClick=${()=>iu(r)}>${h("fill.lock")}</button>
        <button type="button" onClick=${u}>${h("close")}</button>
      </div>
    </div>
  `}function Qm({option:e}){return e.tokens.length===0?fu(e.text):e.tokens.map(({token:t,logprob:n})=>g`<span class=${xi(n)}>${fu(t)}</span>`)}function eg({logprob:e,
times:t,own:n}){return[e===null?h("fill.unscored"):h("fill.details",{p:_e(Math.exp(e)),logp:le(e,{maximumFractionDigits:2})}),...t>1?[`×${t}`]:[],...n?[h("fill\
.own.mark")]:[]].join(" · ")}var On=({share:e})=>g`
  <span class="bar">
    <span ref=${t=>t?.style.setProperty("--share",String(e))}></span>
    <b>${_e(e)}</b>
  </span>
`;function tg({id:e}){let t=Q(""),n=async()=>{t.value===""||be.value||(await Ti(e,t.value),t.value="",document.getElementById(`blank-${e}`)?.closest(".blank-pla\
ce")?.querySelector("ul")?.focus())},r=o=>{ue(o)||o.key!=="Enter"||(o.preventDefault(),n())};return g`
    <div class="row own">
      <input aria-label=${h("fill.own")} placeholder=${h("fill.own")} value=${t.value} onKeyDown=${r}
        onInput=${Z(o=>t.value=o)} />
      <button type="button" disabled=${t.value===""||be.value!==null} onClick=${n}>
        ${h("fill.score")}
      </button>
    </div>
  `}function ng(e){let{right:t}=e.getBoundingClientRect(),n=t-document.documentElement.clientWidth+12;n>0&&getComputedStyle(e).position==="absolute"&&(e.style.left=
`${-n}px`),e.scrollIntoView({block:"nearest"})}var Ln=A(""),Pr=A(""),Ni=A(null),Ur=A("");async function hu(){Ur.value="";try{let e=Pr.value?[Ln.value,Pr.value]:Ln.value,t=await Ae("classify",{model:O.value?.
id,input:[e]}),{probs:n}=t.data[0],r=t.labels??O.value?.labels??[];Ni.value=n.map((o,i)=>({label:r[i]??String(i),probability:o})).sort((o,i)=>i.probability-o.probability)}catch(e){
Ur.value=Le(e)}}function pu(){let e=n=>{!ue(n)&&n.key==="Enter"&&(n.ctrlKey||n.metaKey)&&hu()},t=O.value?.labels;return g`
    <div class="page">
      <h1>${h("view.classify")}</h1>
      <p class="lead">
        ${t?h("classify.lead",{labels:t.join(", ")}):h("classify.cannot",{model:O.value?.id??""})}
      </p>
      ${Ur.value&&g`<p class="error" role="alert">${Ur.value}</p>`}
      <textarea
        class="sheet"
        rows="4"
        aria-label=${h("classify.text")}
        placeholder=${h("classify.text")}
        value=${Ln.value}
        onKeyDown=${e}
        onInput=${Z(n=>Ln.value=n)}
      ></textarea>
      <textarea
        class="sheet"
        rows="2"
        aria-label=${h("classify.second")}
        placeholder=${h("classify.second")}
        value=${Pr.value}
        onKeyDown=${e}
        onInput=${Z(n=>Pr.value=n)}
      ></textarea>
      <div class="row">
        <button type="button" class="primary" disabled=${Ln.value===""||!t} onClick=${hu}>
          ${h("classify.run")}
        </button>
      </div>
      ${Ni.value&&g`
          <ul class="labels" aria-label=${h("classify.result")}>
            ${Ni.value.map(({label:n,probability:r})=>g`
                <li><span class="text">${n}</span><${On} share=${r} /></li>
              `)}
          </ul>
        `}
    </div>
  `}function jr(e){let t=Q(0),n=Math.min(t.value,Math.max(0,e-1));return{onKeyDown:i=>{let s={ArrowLeft:-1,ArrowUp:-1,ArrowRight:1,ArrowDown:1,Home:-e,End:e}[i.key];
if(!s||i.altKey||i.ctrlKey||i.metaKey)return;let a=Math.min(e-1,Math.max(0,n+s));t.value=a,i.currentTarget.querySelectorAll("[data-item]")[a]?.focus(),i.preventDefault()},
item:i=>({"data-item":!0,tabIndex:i===n?0:-1,onFocus:()=>t.value=i}),at:n}}function gu(){let{text:e,ranges:t}=Et.value,n=Ai(e,t),r=rg(e,n),o=r.filter(({isWord:l})=>l),i=jr(o.length),s=({start:l,end:c,blank:u})=>{let f=u?t.filter(([m,d])=>d<=
l||m>=c):[...t,[l,c]];Et.value={text:e,ranges:f},Rt(Or(e,f))},a=-1;return g`
    <div class="words sheet" role="group" aria-label=${h("fill.words")} onKeyDown=${i.onKeyDown}>
      ${r.map((l,c)=>{let u=c>0&&r[c-1].isWord?mu(l.text):"";if(!l.isWord)return l.text.slice(u.length);a+=1;let f=r[c+1];return g`
          <span class="unbroken"><button type="button" class=${l.blank?"word blanked":"word"} aria-pressed=${l.blank}
            ...${i.item(a)} onClick=${()=>s(l)}>${l.text}</button>${f&&!f.isWord?mu(f.text):""}</span>
        `})}
    </div>
  `}var mu=e=>/^[\p{Pe}\p{Pf}\p{Po}]*/u.exec(e)?.[0]??"";function rg(e,t){let n=[],r=0;for(let[o,i]of[...t,[e.length,e.length]]){for(let s of Lr(e.slice(r,o),ke.
value))n.push({text:s.text,start:r+s.start,end:r+s.start+s.text.length,isWord:s.isWord,blank:!1});i>o&&n.push({text:e.slice(o,i),start:o,end:i,isWord:!0,blank:!0}),
r=i}return n}var og=["She ate ____ for ____ because ____.","The capital of France is ____{word}, and its longest river is ____{word}.","春风又____江南岸，明月何时照我还。",
"我今天早上____，所以____。",`def average(numbers):
    return ____ / len(numbers)
`];function _u(){let e=oe(null),t=Q(!1),n=$n(pe.value),r=n.length>0&&O.value?.fills_blanks!==!1,o=()=>{let a=e.current;a&&(a.focus(),a.setRangeText(Ci,a.selectionStart,
a.selectionEnd,"end"),Rt(a.value))},i=a=>{ue(a)||(a.key==="Enter"&&(a.ctrlKey||a.metaKey)?(a.preventDefault(),r&&Fn()):a.altKey&&a.code==="KeyB"&&(a.preventDefault(),
o()))},s=()=>{!t.value&&pe.value!==Et.value.text&&(Et.value={text:pe.value,ranges:[]}),t.value=!t.value};return g`
    <div class="contents" onKeyDown=${i}>
      <div class="toolbar">
        <button type="button" onClick=${o} disabled=${t.value} aria-keyshortcuts="Alt+B">
          ${h("fill.insert")} <kbd>Alt+B</kbd>
        </button>
        <button type="button" aria-pressed=${t.value} onClick=${s} disabled=${pe.value.trim()===""}>
          ${h("fill.pick")}
        </button>
        <select
          aria-label=${h("examples")}
          value=""
          onChange=${Z(a=>(Rt(a),t.value=!1))}
        >
          <option value="" disabled selected>${h("examples")}</option>
          ${og.map(a=>g`<option value=${a}>${a.split(`
`).at(-2)??a}</option>`)}
        </select>
      </div>
      ${t.value?g`<${gu} />`:g`<textarea ref=${e} class="sheet" rows="6" aria-label=${h("fill.text")} placeholder=${h("fill.placeholder")}
            value=${pe.value} onInput=${Z(Rt)}></textarea>`}
      <p class="count">${n.length?h("fill.count",{n:n.length}):h("fill.none")}</p>
      ${n.length>0&&g`<${ig} blanks=${n} />`}
      <${sg} />
      <div class="row">
        <button type="button" class="primary" disabled=${!r} onClick=${Fn}>
          ${h("fill.fill")} <kbd>Ctrl+Enter</kbd>
        </button>
      </div>
    </div>
  `}function ig({blanks:e}){let t=r=>/^\d/.test(r)?h("tokens",{n:r}):h(`length.${r}`),n=r=>Fr.includes(r)?Fr:[...Fr,r];return g`
    <ol class="lengths" aria-label=${h("fill.lengths")}>
      ${e.map(({id:r,hint:o},i)=>g`
          <li key=${r}>
            <span class="numeral" aria-hidden="true">${i+1}</span>
            <select
              aria-label=${h("fill.length",{n:i+1})}
              value=${o}
              onChange=${Z(s=>Rt(tu(pe.value,i,s)))}
            >
              ${n(o).map(s=>g`<option value=${s}>${t(s)}</option>`)}
            </select>
          </li>
        `)}
    </ol>
  `}function sg(){let{n:e,temperature:t,beams:n}=Ne.value,r=i=>Ne.value={...Ne.value,...i},o=i=>r({n:Math.min(20,Math.max(1,Math.round(Number(i))||1))});return g`
    <div class="choices">
      <label>
        ${h("fill.alternatives")}
        <input type="number" min="1" max="20" value=${e} onChange=${Z(o)} />
      </label>
      <label>
        ${h("sampling.temperature")}
        <input
          type="number"
          min="0"
          max="2"
          step="0.05"
          placeholder=${h("default")}
          value=${t}
          disabled=${n}
          onInput=${Z(i=>r({temperature:i}))}
        />
      </label>
      <label class="check">
        <input type="checkbox" checked=${n} onChange=${()=>r({beams:!n})} />
        ${h("fill.beams")}
      </label>
    </div>
  `}var Bn=class{diff(t,n,r={}){let o;typeof r=="function"?(o=r,r={}):"callback"in r&&(o=r.callback);let i=this.castInput(t,r),s=this.castInput(n,r),a=this.removeEmpty(
this.tokenize(i,r)),l=this.removeEmpty(this.tokenize(s,r));return this.diffWithOptionsObj(a,l,r,o)}diffWithOptionsObj(t,n,r,o){var i;let s=b=>{if(b=this.postProcess(
b,r),o){setTimeout(function(){o(b)},0);return}else return b},a=n.length,l=t.length,c=1,u=a+l;r.maxEditLength!=null&&(u=Math.min(u,r.maxEditLength));let f=(i=r.timeout)!==
null&&i!==void 0?i:1/0,m=Date.now()+f,d=[{oldPos:-1,lastComponent:void 0}],p=this.extractCommon(d[0],n,t,0,r);if(d[0].oldPos+1>=l&&p+1>=a)return s(this.buildValues(
d[0].lastComponent,n,t));let _=-1/0,k=1/0,v=()=>{for(let b=Math.max(_,-c);b<=Math.min(k,c);b+=2){let w,y=d[b-1],x=d[b+1];y&&(d[b-1]=void 0);let C=!1;if(x){let N=x.
oldPos-b;C=x&&0<=N&&N<a}let $=y&&y.oldPos+1<l;if(!C&&!$){d[b]=void 0;continue}if(!$||C&&y.oldPos<x.oldPos?w=this.addToPath(x,!0,!1,0,r):w=this.addToPath(y,!1,!0,
1,r),p=this.extractCommon(w,n,t,b,r),w.oldPos+1>=l&&p+1>=a)return s(this.buildValues(w.lastComponent,n,t))||!0;d[b]=w,w.oldPos+1>=l&&(k=Math.min(k,b-1)),p+1>=a&&
(_=Math.max(_,b+1))}c++};if(o)(function b(){setTimeout(function(){if(c>u||Date.now()>m)return o(void 0);v()||b()},0)})();else for(;c<=u&&Date.now()<=m;){let b=v();
if(b)return b}}addToPath(t,n,r,o,i){let s=t.lastComponent;return s&&!i.oneChangePerToken&&s.added===n&&s.removed===r?{oldPos:t.oldPos+o,lastComponent:{count:s.count+
1,added:n,removed:r,previousComponent:s.previousComponent}}:{oldPos:t.oldPos+o,lastComponent:{count:1,added:n,removed:r,previousComponent:s}}}extractCommon(t,n,r,o,i){
let s=n.length,a=r.length,l=t.oldPos,c=l-o,u=0;for(;c+1<s&&l+1<a&&this.equals(r[l+1],n[c+1],i);)c++,l++,u++,i.oneChangePerToken&&(t.lastComponent={count:1,previousComponent:t.
lastComponent,added:!1,removed:!1});return u&&!i.oneChangePerToken&&(t.lastComponent={count:u,previousComponent:t.lastComponent,added:!1,removed:!1}),t.oldPos=l,
c}equals(t,n,r){return r.comparator?r.comparator(t,n):t===n||!!r.ignoreCase&&t.toLowerCase()===n.toLowerCase()}removeEmpty(t){let n=[];for(let r=0;r<t.length;r++)
t[r]&&n.push(t[r]);return n}castInput(t,n){return t}tokenize(t,n){return Array.from(t)}join(t){return t.join("")}postProcess(t,n){return t}get useLongestToken(){
return!1}buildValues(t,n,r){let o=[],i;for(;t;)o.push(t),i=t.previousComponent,delete t.previousComponent,t=i;o.reverse();let s=o.length,a=0,l=0,c=0;for(;a<s;a++){
let u=o[a];if(u.removed)u.value=this.join(r.slice(c,c+u.count)),c+=u.count;else{if(!u.added&&this.useLongestToken){let f=n.slice(l,l+u.count);f=f.map(function(m,d){
let p=r[c+d];return p.length>m.length?p:m}),u.value=this.join(f)}else u.value=this.join(n.slice(l,l+u.count));l+=u.count,u.added||(c+=u.count)}}return o}};var Ii=class extends Bn{tokenize(t){return t.slice()}join(t){return t}removeEmpty(t){return t}},bu=new Ii;function Fi(e,t,n){return bu.diff(e,t,n)}function vu({against:e}){let t=r=>Lr(r,ke.value).reduce((o,i)=>(o.length&&i.text.trim()===""?o[o.length-1]+=i.text:o.push(i.text),o),[]),n=Fi(t(e),t(Nn.value));
return g`
    <section class="difference" aria-label=${h("fill.compare")}>
      <p class="sheet">
        ${n.map(({added:r,removed:o,value:i})=>{let s=i.join("");return r?g`<ins>${s}</ins>`:o?g`<del>${s}</del>`:s})}
      </p>
    </section>
  `}var Gt=A("");function yu(){let e=oe(null),t=r=>{ue(r)||((r.ctrlKey||r.metaKey)&&r.key==="z"&&r.target.tagName!=="INPUT"?(r.preventDefault(),Si()):r.key==="Escap\
e"&&be.value&&!we.value&&be.value.abort())},n=Object.keys(Ce.value).length>0;return ee(()=>{n||e.current?.querySelector("button.blank")?.focus()},[n]),ee(()=>()=>{
we.value=""},[]),g`
    <div class="result" ref=${e} onKeyDown=${t}>
      <div class="sheet flow" role="group" aria-label=${h("fill.result")} aria-busy=${n}>
        ${Se.value.map(r=>"text"in r?r.text:g`<${fg} key=${r.blank.id} id=${r.blank.id} />`)}
      </div>
      <div class="toolbar">
        ${n||be.value?g`<button type="button" class="primary" onClick=${()=>be.value?.abort()}>${h("stop")}</button>`:g`<button type="button" class="primary" onClick=${Fn}>${h(
"fill.again")}</button>`}
        <button type="button" onClick=${ru}>${h("fill.edit")}</button>
        <button type="button" onClick=${Si} disabled=${!Mn.value}>${h("undo")} <kbd>Ctrl+Z</kbd></button>
        ${!n&&g`<${ag} />`}
      </div>
      ${!n&&K.value&&Gt.value!==""&&g`<${vu} against=${cg()} />`}
    </div>
  `}function ag(){let e=Sn(Je.value.map(({text:t,logprob:n})=>({text:t,logprob:n,tokens:[],times:1,own:!1})));return g`
    ${Je.value.length>1&&g`
      <select
        aria-label=${h("fill.whole")}
        value=""
        onChange=${t=>(su(Number(t.target.value)),t.target.value="")}
      >
        <option value="" disabled selected>${h("fill.whole")}</option>
        ${Je.value.map(({text:t},n)=>g`<option value=${n}>${_e(e[n])} · ${t.slice(0,80)}</option>`)}
      </select>
    `}
    <select
      aria-label=${h("fill.compare")}
      value=${Gt.value}
      onChange=${Z(t=>Gt.value=t)}
    >
      <option value="">${h("fill.compare")}</option>
      ${[...Di.value===null?[]:[["original",h("fill.original")]],["source",h("fill.source")],...Je.value.map((t,n)=>[`${n}`,h("fill.filling",{n:n+1})])].map(([t,
n])=>g`<option value=${t}>${h("fill.compare")}: ${n}</option>`)}
    </select>
    <select aria-label=${h("copy")} value="" onChange=${lg}>
      <option value="" disabled selected>${h("copy")}</option>
      ${["text","markers","json"].map(t=>g`<option value=${t}>${h(`copy.${t}`)}</option>`)}
    </select>
    <button type="button" onClick=${ug}>${h("inside.layout.open")}</button>
  `}async function lg(e){let t=e.target.value;e.target.value="",lu(await It(au(t)))}function cg(){return Gt.value==="original"?Di.value??pe.value:Gt.value==="so\
urce"?pe.value:Je.value[Number(Gt.value)]?.text??pe.value}function ug(){Sr({text:pe.value,fillings:(K.value??[]).map(({text:e})=>e)}),Ze("inside")}function fg({
id:e}){let t=K.value??[],n=Se.value.flatMap(f=>"blank"in f?[f.blank.id]:[]).indexOf(e),r=t.find(f=>f.id===e),o=Ce.value[e];if(o!==void 0||!r)return g`<span class="blank arriving"><span class="numeral">${n+
1}</span>${o||"…"}</span>`;let i=Nr(t,r),s=r.options.findIndex(({text:f})=>f===r.text),a=Sn(r.options)[s],l=we.value===e,c=h("fill.blank",{n:n+1,all:t.length,
text:r.text,share:_e(a||0),count:r.options.length}),u=f=>{f.key==="Escape"&&l?(f.stopPropagation(),we.value=""):f.key==="ArrowDown"?(f.preventDefault(),Mi(e)):(f.
key==="ArrowRight"||f.key==="ArrowLeft")&&(f.preventDefault(),ku(f.currentTarget,f.key==="ArrowRight"?1:-1))};return g`
    <span class=${`blank-place${l?" open":""}`}>
      <button
        type="button"
        id=${`blank-${e}`}
        class=${`blank${i?" stale":""}${r.locked?" locked":""}`}
        aria-haspopup="listbox"
        aria-expanded=${l}
        aria-label=${i?`${c}. ${h("fill.stale")}`:c}
        onClick=${()=>l?we.value="":Mi(e)}
        onKeyDown=${u}
      >
        <span class="numeral">${n+1}</span>${r.text||"∅"}
      </button>
      ${i&&g`<small class="stale-mark" aria-hidden="true">${h("fill.stale.mark")}</small>`}
      ${l&&g`<${du} blank=${r} stale=${i} move=${ku} />`}
    </span>
  `}function ku(e,t){let n=[...e.closest(".flow").querySelectorAll("button.blank")],r=e.closest(".blank-place").querySelector("button.blank");n[(n.indexOf(r)+t+
n.length)%n.length].focus()}function wu(){let e=K.value!==null||Object.keys(Ce.value).length>0;return g`
    <div class="page">
      <h1>${h("view.fill")}</h1>
      ${O.value&&!O.value.fills_blanks&&g`<p class="note">${h("fill.cannot",{model:O.value.id})}</p>`}
      ${Kt.value&&g`<p class="error" role="alert">${Kt.value}</p>`}
      ${e?g`<${yu} />`:g`<p class="lead">${h("fill.lead")}</p><${_u} />`}
    </div>
  `}function xu(e){try{return new TextDecoder("utf-8",{fatal:!0,ignoreBOM:!0}).decode(new Uint8Array(e??[]))}catch{return null}}function Eu(e){let t=[];for(let n=0;n<
e.length;){let r=e[n],o=1,i=r.bytes?xu(r.bytes):r.token;for(let u=n+2;i===null&&u<=Math.min(n+4,e.length);u++){let f=e.slice(n,u).flatMap(m=>m.bytes??[]);i=xu(f),
i!==null&&(o=u-n)}let s=e.slice(n,n+o),a=s.map(({logprob:u})=>u),l=r.top_logprobs??[],c=l.findIndex(({token:u})=>u===r.token)+1;t.push({text:i??r.token,logprob:a.
includes(null)?null:a.reduce((u,f)=>u+f,0),rank:o===1&&c>0?c:null,ids:s.map(({id:u})=>u),top:l}),n+=o}return t}function Cu(e){let t=e.filter(({logprob:o})=>o!==
null),n=t.reduce((o,{ids:i})=>o+i.length,0),r=t.reduce((o,{logprob:i})=>o+i,0);return{count:e.reduce((o,{ids:i})=>o+i.length,0),mean:n?r/n:0,perplexity:n?Math.exp(
-r/n):0}}var Du=2e3,Wr=A("absolute"),zr=A(!1),Ru=A(Du);function Su({tokens:e}){let t=Zc(Wr.value,e.map(({logprob:s})=>s)),n=e.slice(0,Ru.value),{count:r,mean:o,perplexity:i}=Cu(
e);return g`
    <div class="toolbar">
      <select
        aria-label=${h("heat.scale")}
        value=${Wr.value}
        onChange=${Z(s=>Wr.value=s)}
      >
        ${["absolute","relative","rank"].map(s=>g`<option value=${s}>${h(`heat.${s}`)}</option>`)}
      </select>
      <button type="button" aria-pressed=${zr.value} onClick=${()=>zr.value=!zr.value}>
        ${h("heat.table")}
      </button>
      <span class="meta">${h("heat.summary",{n:r,mean:le(o,{maximumFractionDigits:2}),perplexity:le(i,{maximumSignificantDigits:4})})}</span>
    </div>
    <${hg} />
    ${zr.value?g`<${_g} tokens=${n} />`:g`<${mg} tokens=${n} paint=${t} />`}
    ${e.length>n.length&&g`
        <button type="button" onClick=${()=>Ru.value+=Du}>
          ${h("heat.more",{n:e.length-n.length})}
        </button>
      `}
  `}function hg(){if(Wr.value==="rank"){let e=[0,1,2,3].map(t=>g`<span class=${`h rank${t}`}>${h(`heat.rank${t}`)}</span>`);return g`<p class="legend">${e}</p>`}
return g`
    <p class="legend">
      <span>${h("heat.sure")}</span>
      <span class="scale" aria-hidden="true">
        ${Array.from({length:16},(e,t)=>g`<i class=${`h h${t}`}></i>`)}
      </span>
      <span>${h("heat.surprised")}</span>
    </p>
  `}var $u=e=>le(e,{maximumFractionDigits:3});function pg({text:e,logprob:t}){return`${e.trim()===""?JSON.stringify(e):e}, ${t===null?h("heat.first"):_e(Math.exp(
t))}`}function mg({tokens:e,paint:t}){let n=jr(e.length),r=e[n.at],o=(i,s)=>g`
    <span role="button" class=${t(i)} aria-label=${pg(i)} ...${n.item(s)}>${i.text}</span>
  `;return g`
    <div class="heat-place">
      <div class="sheet heat-map" role="group" aria-label=${h("heat.map")} onKeyDown=${n.onKeyDown}>
        ${e.map(o)}
      </div>
      ${r&&g`<${gg} token=${r} />`}
    </div>
  `}var Au=e=>e.replaceAll(`
`,"⏎").replaceAll(" ","·");function gg({token:e}){let{text:t,logprob:n,rank:r,top:o}=e,i=r?` · ${h("heat.place",{n:r})}`:"";return g`
    <section class="detail" aria-label=${h("heat.detail")} aria-live="polite">
      <p><code>${Au(t)}</code> <small>${h("heat.ids",{ids:e.ids.join(" ")})}</small></p>
      <p>
        ${n===null?h("heat.first"):`${_e(Math.exp(n))} · log p ${$u(n)}${i}`}
      </p>
      <ul>
        ${o.map(s=>g`
            <li><span class="text">${Au(s.token)}</span><${On} share=${Math.exp(s.logprob)} /></li>
          `)}
      </ul>
    </section>
  `}function _g({tokens:e}){let t=["#",h("heat.token"),h("heat.probability"),"log p",h("heat.rank")],n=({text:r,logprob:o,rank:i},s)=>g`
    <tr>
      <td>${s+1}</td>
      <td><code>${JSON.stringify(r).slice(1,-1)}</code></td>
      <td>${o===null?"–":_e(Math.exp(o))}</td>
      <td>${o===null?"–":$u(o)}</td>
      <td>${i??"–"}</td>
    </tr>
  `;return g`
    <div class="table" tabindex="0" role="region" aria-label=${h("heat.table")}>
      <table>
        <thead><tr>${t.map(r=>g`<th scope="col">${r}</th>`)}</tr></thead>
        <tbody>${e.map(n)}</tbody>
      </table>
    </div>
  `}var Tu=(e,t)=>Math.max(t+1,e.mask_rule==="prefix"?e.context:0);function Oi(e,t,n,r){let o=e.tokens.length,[i,s]=[t,n].map(l=>Math.min(r,o-l*r)),a=0;for(let l=t*
r;l<t*r+i;l++)a+=Math.min(s,Math.max(0,Tu(e,l)-n*r));return a/(i*s)}function Zt(e){let{tokens:t,positions:n,context:r}=e;if(e.mask_rule==="causal")return[];let[
o,i]=n,s=[];for(let a=r;a<t.length;a++){let l=s.at(-1);!l||i&&i[a]===1?s.push({start:a,end:a+1,at:o[a]}):l.end=a+1}return s}var Pn=(e,t)=>e.findIndex(({start:n,
end:r})=>t>=n&&t<r)+1;function Mu(e,t){let n=Zt(e);if(n.length===0)return e;let r=[...Array.from({length:e.context},(i,s)=>s),...t.flatMap(i=>e.tokens.map((s,a)=>a).
slice(n[i].start,n[i].end))],o=i=>r.map(s=>i[s]);return{...e,tokens:o(e.tokens),positions:e.positions.map(o),targets:e.targets&&o(e.targets)}}function Li(e){let t=[
...e];for(let n=t.length-1;n>0;n--){let r=Math.floor(Math.random()*(n+1));[t[n],t[r]]=[t[r],t[n]]}return String(t)===String(e)?Li(e):t}var Nu=e=>e.tokens.map((t,n)=>e.
tokens.map((r,o)=>o<Tu(e,n)?1:0).join(",")).join(`
`);var bg=512;function Iu({layout:e}){let t=oe(null),n=Q({row:0,column:0}),r=e.tokens.length,o=Math.ceil(r/bg),i=Math.ceil(r/o),s=v=>Math.min(i-1,Math.max(0,v)),a=Zt(
e),l=Math.max(1,Math.min(18,Math.floor(640/i))),[c,u]=[s(n.value.row),s(n.value.column)];ee(()=>{let v=()=>kg(t.current,e,a,o,l);v();let b=matchMedia("(prefers-\
color-scheme: dark)");b.addEventListener("change",v);let w=new MutationObserver(v);return w.observe(document.documentElement,{attributes:!0,attributeFilter:["da\
ta-theme"]}),()=>{b.removeEventListener("change",v),w.disconnect()}},[e]);let f=(v,b)=>{n.value={row:s(c+v),column:s(u+b)}},m=v=>{let b={ArrowUp:[-1,0],ArrowDown:[
1,0],ArrowLeft:[0,-1],ArrowRight:[0,1]}[v.key];b&&(v.preventDefault(),f(...b))},d=v=>{let b=v.currentTarget.getBoundingClientRect(),w=(y,x)=>s(Math.floor(y/x*i));
n.value={row:w(v.clientY-b.top,b.height),column:w(v.clientX-b.left,b.width)}},p=v=>{v?.style.setProperty("--row",String(c/i)),v?.style.setProperty("--column",String(
u/i)),v?.style.setProperty("--size",String(1/i))},_=v=>{let[b,w]=[v*o,Math.min(r,(v+1)*o)-1];return b<w?`${b}–${w}`:`${b} “${e.tokens[b]?.text??""}”`},k=Oi(
e,c,u,o);return g`
    <section aria-labelledby="mask-title">
      <h2 id="mask-title">${h("mask")}</h2>
      <p class="legend">
        <span class="key part0">${h("mask.context")}</span>
        ${a.map((v,b)=>g`<span class=${`key part${1+b%6}`}>${h("mask.span",{n:b+1})}</span>`)}
        <span class="key part-none">${h("mask.hidden")}</span>
      </p>
      ${o>1&&g`<p class="note">${h("mask.squares",{n:r,by:o})}</p>`}
      <div class="mask-place">
        <div class="mask-frame" ref=${p}>
          <canvas
            ref=${t}
            width=${i*l}
            height=${i*l}
            tabindex="0"
            role="img"
            aria-label=${h("mask.label",{n:r})}
            aria-describedby="mask-cell mask-text"
            onKeyDown=${m}
            onPointerMove=${d}
            onPointerDown=${d}
          ></canvas>
          <span class="cell"></span>
        </div>
      </div>
      <p id="mask-cell" class="meta" aria-live="polite">
        ${h(k===1?"mask.sees":k?"mask.part":"mask.blind",{row:_(c),column:_(u)})}
      </p>
      <ul id="mask-text" class="sentences">
        <li>${h(e.mask_rule==="prefix"?"mask.text.prefix":"mask.text.causal")}</li>
        ${a.map((v,b)=>g`<li>${vg(b)}</li>`)}
      </ul>
      <div class="row wrap">
        <button type="button" onClick=${()=>t.current?.toBlob(v=>v&&mn("mask.png",v))}>
          PNG
        </button>
        <button type="button" onClick=${()=>mn("mask.csv",Nu(e),"text/csv")}>CSV</button>
      </div>
    </section>
  `}function vg(e){let t=Array.from({length:e},(n,r)=>r+1).join(", ");return h(e?"mask.text.later":"mask.text.first",{n:e+1,before:t})}function kg(e,t,n,r,o){let i=e.
getContext("2d"),s=u=>(e.style.color=`var(${u})`,getComputedStyle(e).color),a=Array.from({length:7},(u,f)=>s(`--part${f}`)),l=o>4?1:0,c=Math.ceil(t.tokens.length/
r);i.globalAlpha=1,i.fillStyle=s("--part-none"),i.fillRect(0,0,e.width,e.height);for(let u=0;u<c;u++){let f=Pn(n,u*r);i.fillStyle=a[f?1+(f-1)%6:0];for(let m=0;m<
c;m++)i.globalAlpha=Oi(t,m,u,r),i.fillRect(u*o,m*o,o-l,o-l)}}var Bi=A({of:null,order:[0]});function Fu({layout:e}){let t=Zt(e).map((f,m)=>m),n=Bi.value.of===e?Bi.value.order:t,r=f=>Bi.value={of:e,order:f},o=Mu(e,n),i=Zt(o),
{tokens:s,positions:a,targets:l}=o,c=s.map((f,m)=>`part${Pn(i,m)?1+(Pn(i,m)-1)%6:0}`),u=(f,m)=>g`
    <tr><th scope="row">${f}</th>${s.map((d,p)=>g`<td class=${c[p]}>${m(p)}</td>`)}</tr>
  `;return g`
    <section aria-labelledby="layout-title">
      <h2 id="layout-title">${h("layout")}</h2>
      <p class="lead">${h(a.length>1?"layout.explain":"layout.explain.one")}</p>
      <div class="table layout" tabindex="0" role="region" aria-labelledby="layout-title">
        <table>
          <tbody>
            ${u(h("layout.index"),f=>f)}
            ${u(h("layout.token"),f=>g`<code>${s[f].text}</code>`)}
            ${u(h("layout.position1"),f=>a[0][f])}
            ${a.length>1&&u(h("layout.position2"),f=>a[1][f])}
            ${l&&u(h("layout.target"),f=>g`<code>${l[f]?.text??""}</code>`)}
          </tbody>
        </table>
      </div>
    </section>
    ${i.length>0&&g`
      <section aria-labelledby="order-title">
        <h2 id="order-title">${h("order")}</h2>
        ${i.length>1&&g`
            <p class="lead">${h("order.explain")}</p>
            <div class="row">
              <button type="button" onClick=${()=>r(Li(n))}>${h("order.shuffle")}</button>
              <button type="button" disabled=${String(n)===String(t)} onClick=${()=>r(t)}>
                ${h("order.text")}
              </button>
            </div>
          `}
        <ol class="order">
          ${i.map(({start:f,end:m,at:d},p)=>g`
              <li><span class=${`key part${1+p%6}`}>${h("mask.span",{n:p+1})}</span> ${h("order.at",{at:d})}
                <code>${s.slice(f,m).map(({text:_})=>_).join(" ")}</code></li>
            `)}
        </ol>
      </section>
    `}
    <${Iu} layout=${o} />
  `}var Ui=A(null),Hr=A(null),Jr=A(!1),qr=A("");async function Pi(){Jr.value=!0,qr.value="";try{let e=O.value?.id;if(st.value==="heat"){let t=He.value?{messages:He.
value}:{text:Me.value};Ui.value=Eu((await Ae("logprobs",{model:e,...t,top_logprobs:5})).tokens)}else{if(O.value?.fills_blanks===!1){Hr.value=await Ae("layout",{
model:e,text:Me.value});return}let t=xt(Me.value).map(r=>"text"in r?r:{blank:{id:r.blank.id}}),n=$n(Me.value).map((r,o)=>yt.value[o]??"");Hr.value=await Ae("lay\
out",{model:e,segments:t,fillings:n})}}catch(e){qr.value=Le(e)}finally{Jr.value=!1}}function Ou(){let e=st.value==="heat";ee(()=>{(e&&He.value||!e&&Me.value&&yt.
value.length)&&Pi()},[st.value,He.value]);let t=n=>{ue(n)||n.key==="Enter"&&(n.ctrlKey||n.metaKey)&&Pi()};return g`
    <div class="page">
      <h1>${h("view.inside")}</h1>
      <div class="segments tabs" role="group" aria-label=${h("view.inside")}>
        ${["heat","layout"].map(n=>g`
            <button type="button" aria-pressed=${st.value===n} onClick=${()=>st.value=n}>
              ${h(`inside.${n}`)}
            </button>
          `)}
      </div>
      <p class="lead">${h(`inside.${st.value}.lead`)}</p>
      ${qr.value&&g`<p class="error" role="alert">${qr.value}</p>`}
      ${e&&He.value?g`<${yg} count=${He.value.length} />`:g`
              <textarea
                class="sheet"
                rows="3"
                aria-label=${h("inside.input")}
                placeholder=${h(e?"inside.placeholder":"fill.placeholder")}
                value=${Me.value}
                onInput=${Z(n=>Me.value=n)}
                onKeyDown=${t}
              ></textarea>
            `}
      ${!e&&g`<${wg} />`}
      <div class="row">
        <button
          type="button"
          class="primary"
          disabled=${Jr.value||!He.value&&Me.value===""}
          onClick=${Pi}
        >${h("inside.look")}</button>
      </div>
      <div aria-busy=${Jr.value}>
        ${e&&Ui.value&&g`<${Su} tokens=${Ui.value} />`}
        ${!e&&Hr.value&&g`<${Fu} layout=${Hr.value} />`}
      </div>
    </div>
  `}var yg=({count:e})=>g`
  <p class="note">
    ${h("inside.conversation",{n:e})}
    <button type="button" class="link" onClick=${()=>He.value=null}>${h("inside.text")}</button>
  </p>
`;function wg(){let e=(t,n)=>{let r=[...yt.value];r[t]=n,yt.value=Array.from(r,o=>o??"")};return g`
    <div class="fillings">
      ${$n(Me.value).map((t,n)=>g`
          <label>
            <span class="numeral">${n+1}</span>
            <input
              aria-label=${h("inside.filling",{n:n+1})}
              placeholder=${h("inside.filling",{n:n+1})}
              value=${yt.value[n]??""}
              onInput=${Z(r=>e(n,r))}
            />
          </label>
        `)}
    </div>
  `}var xg=e=>le(e,{notation:"compact",maximumSignificantDigits:3}),Eg=e=>`${le(e/2**20,{maximumFractionDigits:0})} MiB`;function Lu(){return g`
    <div class="page">
      <h1>${h("view.server")}</h1>
      ${mt.value&&g`<${Cg} now=${mt.value} />`}
      ${($e.value?.models??[]).map(e=>g`<${Rg} key=${e.id} one=${e} />`)}
      ${$e.value&&g`<p class="meta">glmkit ${$e.value.version}</p>`}
    </div>
  `}function Cg({now:e}){let t=[e.cache_bytes_used??0,...e.cache_bytes?[e.cache_bytes]:[]].map(Eg).join(" / "),n=e.cache_bytes?e.cache_bytes_used/e.cache_bytes:
0;return g`
    <section class="card" aria-label=${h("load")}>
      <dl class="facts">
        <div>
          <dt>${h("load.speed.long")}</dt><dd>${le(e.tokens_per_second??0,{maximumFractionDigits:1})}</dd>
        </div>
        <div><dt>${h("load.running")}</dt><dd>${e.running}</dd></div>
        <div><dt>${h("load.waiting")}</dt><dd>${e.waiting}</dd></div>
        <div>
          <dt>${h("load.cache.long")}</dt><dd>${t}</dd>
        </div>
      </dl>
      ${e.cache_bytes&&g`<meter min="0" max="1" value=${n} aria-label=${h("load.cache.long")}>${_e(n)}</meter>`}
    </section>
  `}function Rg({one:e}){let t=[e.chats&&h("view.chat"),e.fills_blanks&&h("view.fill"),e.labels&&h("view.classify"),e.system&&h("system"),e.tools&&h("tools")].filter(
Boolean),n=[[h("facts.family"),e.family],[h("facts.parameters"),xg(e.parameters)],[h("facts.context"),h("tokens",{n:le(e.context)})],[h("facts.weights"),e.quantized?
`${e.dtype}, int${e.quantized.bits}`:e.dtype],[h("facts.can"),t.join(" · ")],...e.labels?[[h("facts.labels"),e.labels.join(", ")]]:[],...e.adapter_of?[[h("fact\
s.adapter"),e.adapter_of]]:[]],r=e.id===O.value?.id;return g`
    <section class="card" aria-label=${e.id}>
      <header><h2>${e.id}</h2>
        <button type="button" aria-pressed=${r} onClick=${()=>sr(e.id)}>
          ${h(r?"model.chosen":"model.choose")}
        </button>
      </header>
      <dl class="facts">${n.map(([o,i])=>g`<div><dt>${o}</dt><dd>${i}</dd></div>`)}</dl>
    </section>
  `}function Bu(){let e=mt.value;if(!e)return g`<p class="gauges meta">${O.value?.id??""}</p>`;let t=e.cache_bytes?e.cache_bytes_used/e.cache_bytes:0;return g`
    <dl class="gauges">
      <div><dt>${h("load.speed")}</dt><dd>${le(e.tokens_per_second??0,{maximumFractionDigits:1})}</dd></div>
      <div><dt>${h("load.queue")}</dt><dd>${e.running} + ${e.waiting}</dd></div>
      <div><dt>${h("load.cache")}</dt><dd>${_e(t)}</dd></div>
    </dl>
    ${e.loading&&g`<p class="meta">${h("load.loading",{model:e.loading.model,share:_e(e.loading.share)})}</p>`}
  `}var Kr=A(!1),Uu=A(localStorage.getItem("glmkit.theme")??"system"),ju=A(null);function ji(){Kr.value=!0,navigator.storage?.estimate().then(e=>ju.value=e)}function Ag(e){
Uu.value=e,e==="system"?(localStorage.removeItem("glmkit.theme"),delete document.documentElement.dataset.theme):(localStorage.setItem("glmkit.theme",e),document.
documentElement.dataset.theme=e)}async function Dg(e){let t=e.target.files[0];if(e.target.value="",!!t)try{if(t.size>Eo)throw new Error(h("import.large",{size:Eo/
2**20}));let n=Ls(await t.text(),Pe);for(let{conversation:r,messages:o}of n)await Qe(r,o);await Be(),ye(h("import.done",{n:n.length}))}catch(n){ye(h("import.fai\
led",{message:String(n.message)}))}}async function Sg(){let e=await Do();await js(),pn(),await Be(),ye(h("history.deleted"),async()=>{for(let{conversation:t,messages:n}of e)
await Qe(t,n);await Be()})}function zu(){let e=oe(null),t=Kr.value||Mt.value;ee(()=>{t&&!e.current?.open&&e.current?.showModal(),!t&&e.current?.open&&e.current.
close()},[t]);let n=()=>{Kr.value=!1,Mt.value=!1};return g`
    <dialog ref=${e} onClose=${n} aria-labelledby="preferences-title" class="preferences">
      <header>
        <h2 id="preferences-title">${h("preferences")}</h2><${Y} icon="close" label=${h("close")} onClick=${n} />
      </header>
      ${t&&g`<${$g} />`}
    </dialog>
  `}function $g(){let e=ju.value?.usage;return g`
    <${Pu} name="language" legend=${h("language")} value=${ke.value} choose=${Js}
      options=${[["en","English"],["zh","中文"]]} />
    <${Pu} name="theme" legend=${h("theme")} value=${Uu.value} choose=${Ag}
      options=${["system","light","dark"].map(t=>[t,h(`theme.${t}`)])} />
    <form class="field" onSubmit=${Tg}>
      <label for="key">${h("key")}</label>
      <div class="row">
        <input id="key" name="key" type="password" autocomplete="off" defaultValue=${Tt.value} />
        <button type="submit">${h("key.use")}</button>
      </div>
      <small>${Mt.value?h("error.key"):h("key.help")}</small>
    </form>
    <div class="field">
      <span class="label">${h("history")}</span>
      <div class="row wrap">
        <button type="button" onClick=${async()=>mn("glmkit-chats.json",Os(await Do()))}>
          ${h("export")}
        </button>
        <label class="button">
          ${h("import")}<input type="file" accept="application/json,.json" class="off-screen" onChange=${Dg} />
        </label>
        <button type="button" class="danger" onClick=${Sg}>${h("history.delete")}</button>
      </div>
      <small>${h("history.help")}
        ${e!==void 0&&` ${h("history.size",{size:le(e/2**20,{maximumFractionDigits:1})})}`}
        ${ar.value>0&&` ${h("history.damaged",{n:ar.value})}`}</small>
    </div>
  `}function Tg(e){e.preventDefault(),Ks(String(new FormData(e.currentTarget).get("key"))),Kr.value=!1,dn().catch(t=>ye(Le(t)))}function Pu({name:e,legend:t,value:n,
choose:r,options:o}){return g`
    <fieldset class="segments">
      <legend>${t}</legend>
      ${o.map(([i,s])=>g`
          <label>
            <input type="radio" name=${e} value=${i} checked=${i===n} onChange=${()=>r(i)} /><span>${s}</span>
          </label>
        `)}
    </fieldset>
  `}function Mg({entry:e}){let t=()=>Math.max(0,Math.ceil((e.at-Date.now())/1e3)),n=Q(t()),r=h("busy.wait",{message:e.message,seconds:n.value});return ee(()=>{Ee.value=
r;let o=setInterval(()=>n.value=t(),200);return()=>clearInterval(o)},[e]),g`
    <div class="banner row wrap">
      <span>${r}</span>
      <button type="button" onClick=${e.now}>${h("busy.now")}</button>
      <button type="button" onClick=${e.cancel}>${h("cancel")}</button>
    </div>
  `}var Wu=()=>et.value.map(e=>g`<${Mg} key=${e.at} entry=${e} />`);var Ng=document.querySelector("link[rel=icon]").href,Ig={chat:qc,fill:wu,inside:Ou,classify:pu,server:Lu};function Hu(){let e=Q(!1),t=fn.value;return ee(()=>{e.
value=!1,document.title=`${h(`view.${t}`)} · glmkit`},[t,h("view.chat")]),g`
    <a class="skip" href="#content" onClick=${Fg}>${h("skip")}</a>
    <div class=${e.value?"shell menu-open":"shell"} onKeyDown=${n=>{n.key==="Escape"&&(e.value=!1)}}>
      <header class="top">
        <${Y} icon="menu" label=${h("menu")} class="quiet narrow" aria-expanded=${e.value} aria-controls="side"
          onClick=${()=>e.value=!e.value} />
        <strong>${h(`view.${t}`)}</strong>
        <${Lg} />
      </header>
      <div class="curtain" onClick=${()=>e.value=!1}></div>
      <aside class="side" id="side" aria-label=${h("menu")}>
        <div class="brand"><img src=${Ng} alt="" width="28" height="28" /><span>glmkit</span>
          <${Y} icon="close" label=${h("close")} class="quiet narrow" onClick=${()=>e.value=!1} />
        </div>
        <nav aria-label=${h("views")}>
          ${To.filter(Og).map(n=>g`
              <a
                href=${`#/${n}`}
                aria-current=${n===t?"page":void 0}
                onClick=${()=>e.value=!1}
              >
                <${Ft} name=${n} />${h(`view.${n}`)}
              </a>
            `)}
        </nav>
        <${Kc} onChoose=${()=>e.value=!1} />
        <div class="foot">
          <${Bu} />
          <button type="button" class="quiet wide" onClick=${ji}>
            <${Ft} name="sliders" />${h("preferences")}
          </button>
        </div>
      </aside>
      <main id="content" tabindex="-1">
        ${!cn.value&&g`<p class="banner" role="alert">${h("error.unreachable")}</p>`}
        ${un.value&&g`
            <p class="banner" role="alert">
              ${h("error.key")} <button type="button" onClick=${ji}>${h("key.enter")}</button>
            </p>
          `}
        <${Wu} />
        <${Ig[t]} />
      </main>
    </div>
    <${Bg} />
    <div class="off-screen" role="status">${Ee}</div>
    <${zu} />
  `}function Fg(e){e.preventDefault(),document.getElementById("content")?.focus()}var Og=e=>e!=="classify"||($e.value?.models??[]).some(t=>t.labels)||fn.value===
e;function Lg(){let e=$e.value?.models??[];return e.length<2?g`<span class="model-name">${O.value?.id??""}</span>`:g`
    <select aria-label=${h("model")} value=${O.value?.id} onChange=${Z(sr)}>
      ${e.map(({id:t})=>g`<option value=${t}>${t}</option>`)}
    </select>
  `}function Bg(){let e=ln.value;return g`
    <div class="notices" role="status">
      ${e&&g`
        <div class="notice">
          <span>${e.text}</span>
          ${e.undo&&g`<button type="button" onClick=${()=>(e.undo?.(),ln.value=null)}>${h("undo")}</button>`}
        </div>
      `}
    </div>
  `}var Ju=document.getElementById("app");Ju.replaceChildren();is(g`<${Hu} />`,Ju);ea();dn();Qs();
